"""Pages to read in a browser: one file that loads nothing and runs nothing, whatever stands in it."""
