"""Plan a cluster before it is rented."""
