"""aictl-sample: one command, ``aictl data sample``."""
