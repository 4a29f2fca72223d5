"""Models that were trained elsewhere, brought in as artifacts: one file per format they come in."""
