"""Bring in models that were trained elsewhere; list them, look into one, and write its card."""
