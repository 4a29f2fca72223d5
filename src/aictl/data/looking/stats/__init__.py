"""What a dataset measures: how much there is, how long its documents are, of which words, from where."""
