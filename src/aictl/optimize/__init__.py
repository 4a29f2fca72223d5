"""Making a model smaller and faster, and proving that it still is good."""
