"""The page of an evaluation, to read in a browser."""
