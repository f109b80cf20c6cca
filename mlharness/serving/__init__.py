"""The store in a browser: lists, comparisons and reports, read only, on loopback or behind a token."""
