"""From results of runs to what differs between them, and by how much: pure functions over documents."""
