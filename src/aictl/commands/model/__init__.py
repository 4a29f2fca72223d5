"""Bring in models that were trained elsewhere."""
