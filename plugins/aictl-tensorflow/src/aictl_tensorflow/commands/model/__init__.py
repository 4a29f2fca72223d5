"""What this plugin adds to ``aictl model``."""
