"""A trace in the formats of the tools that people look at traces with: one module for each."""
