"""How two datasets differ: in their documents, and in what they were made with."""
