"""Turn raw files into datasets."""
