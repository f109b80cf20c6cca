"""The trace on a run's page: where the time goes, a timeline of single queries, a flame graph, a table of layers."""
