"""Apache MXNet as a framework of mlharness, and its model zoos as a source."""
