"""Measuring a model on a dataset: what applies to both, how sure it is, and whether another model differs."""
