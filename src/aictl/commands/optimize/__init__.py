"""Make a model smaller and faster."""
