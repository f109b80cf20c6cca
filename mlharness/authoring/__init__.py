"""What ``mlh init`` writes: the beginning of a plugin, of a manifest, and of a package that publishes manifests."""
