"""The best of many ways to make a model smaller and faster."""
