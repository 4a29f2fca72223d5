"""What this plugin adds to ``aictl optimize``."""
