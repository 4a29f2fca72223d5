"""One text from a model, as it comes."""
