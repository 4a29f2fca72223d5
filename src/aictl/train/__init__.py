"""Pretraining: a language model and its tokenizer, from nothing but a dataset."""
