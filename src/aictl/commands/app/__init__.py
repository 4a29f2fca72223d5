"""Make applications that use what was made."""
