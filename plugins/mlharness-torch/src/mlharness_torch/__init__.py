"""PyTorch as a framework of mlharness, and the model zoos of its world as sources."""
