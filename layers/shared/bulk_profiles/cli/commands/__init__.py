"""The commands of `bulk-profiles`: a module for each group of them, loaded when it is used."""
