"""Measuring models: quality on held-out text, speed with its uncertainty, agreement of logits."""
