"""Looking at datasets: a few documents, where a text stands, what they measure, how two differ, and a page of it all.

Everything is read block by block, so that memory stays the same however large a dataset is.
"""
