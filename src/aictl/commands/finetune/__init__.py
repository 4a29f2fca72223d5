"""Adapt a pretrained model to your own data."""
