"""Data sets of the user's own files, and metrics of tables, for mlharness."""
