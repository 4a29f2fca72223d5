"""Many texts as arrays: where their words and lines begin and end, and what those hash to.

Everything here works on all texts of a block at once; there is no loop over words or letters.
"""
