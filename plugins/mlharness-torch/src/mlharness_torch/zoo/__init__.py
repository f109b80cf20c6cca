"""Model zoos as sources: a zoo's model becomes one file in the cache, which the framework then loads."""
