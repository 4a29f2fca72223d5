"""Loading a model artifact and generating text with it, on whichever runtime fits the artifact."""
