"""What became of every row: the results of the profiles, the summary, the report."""
