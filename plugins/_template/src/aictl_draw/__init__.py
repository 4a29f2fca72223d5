"""aictl-draw: one command, ``aictl data draw``."""
