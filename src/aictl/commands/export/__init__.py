"""Turn a model into a format that runs elsewhere."""
