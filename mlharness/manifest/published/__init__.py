"""The published MLHarness format (2021-22): read as it is, as a manifest of our own format, and written as one."""
