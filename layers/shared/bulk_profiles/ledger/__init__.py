"""What is remembered of imports and batches, and which changes are legal."""
