"""Finding documents that are the same, or nearly: signatures, buckets of likely pairs, and verified clusters."""
