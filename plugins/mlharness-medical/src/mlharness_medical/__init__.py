"""Data sets, steps, sliding windows and the metric of volumes, for mlharness."""
