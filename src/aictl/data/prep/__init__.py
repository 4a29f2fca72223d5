"""Raw files to a dataset: read, cleaned, sifted, split."""
