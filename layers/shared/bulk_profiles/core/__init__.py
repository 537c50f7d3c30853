"""Models, names, feeds and errors, which every room uses. No module here imports another room."""
