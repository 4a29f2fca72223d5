"""See which settings are in force, and where they come from."""
