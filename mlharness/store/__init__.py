"""The store: an index over run directories, which are the source of truth and from which it can be made again."""
