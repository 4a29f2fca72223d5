"""Tokenizers of one's own: learnt from a dataset, and measured on what was held out of it."""
