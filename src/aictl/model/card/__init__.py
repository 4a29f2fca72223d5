"""A model's card: front matter for the hub, and text for people, both from records alone."""
