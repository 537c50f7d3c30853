"""One module for each function, of the same name, and what the five of them share."""
