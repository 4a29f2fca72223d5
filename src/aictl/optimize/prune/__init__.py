"""Leaving out what a network does least with: single weights, or whole heads, neurons and layers."""
