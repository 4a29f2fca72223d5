"""Where a text stands in a dataset's documents."""
