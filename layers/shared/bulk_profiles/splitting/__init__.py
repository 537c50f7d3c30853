"""A source file becomes batches, with every row accounted for. No module here uses a network."""
