"""Encoded rows become the bodies of batches; rejected rows are written down."""
