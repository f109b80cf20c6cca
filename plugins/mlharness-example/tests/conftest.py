"""Fixtures of mlharness: ``mlh_in_process`` and ``mlh_bench`` run manifests."""

pytest_plugins = ["mlharness.testing.fixtures"]
