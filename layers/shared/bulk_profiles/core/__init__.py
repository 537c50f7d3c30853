"""What every room speaks of: models, names, feeds, errors. It knows nothing of the other rooms."""
