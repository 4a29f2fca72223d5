"""See which distributions offer commands and kinds of artifact."""
