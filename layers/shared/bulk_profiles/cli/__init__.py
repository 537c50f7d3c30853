"""The command line `bulk-profiles`."""
