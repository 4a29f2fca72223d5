"""From raw files to a dataset: reading every shape of document, cleaning, splitting."""
