"""Look at artifacts: list, show, trace, check and remove them."""
