"""Tokenizing: learn a byte-level BPE, encode documents with any tokenizer.json, pack them into mapped shards.

The library ``tokenizers`` decides what is right. ``gigatoken`` does the same many times as fast where it is
installed, for the tokenizers and the documents on which the two agree; docs/decisions/tokenizing.md says how
that is made sure of. What comes out is the same with it and without it.
"""
