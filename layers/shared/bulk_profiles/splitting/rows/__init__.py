"""Plain rows are checked, and encoded as Target reads them."""
