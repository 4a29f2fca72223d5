"""A page about a dataset: how it came to be, what it measures, and what stands in it."""
