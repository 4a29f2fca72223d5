"""Look at the machine."""
