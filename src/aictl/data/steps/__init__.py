"""What ``data prep`` does to a text, one step a module: pure functions on strings, each of which counts what it did."""
