"""Speed beside the peers, each figure a ratio of CPU time between two commands run in turn."""
