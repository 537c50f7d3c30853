"""Any format becomes blocks of plain rows, each with the place that it came from."""
