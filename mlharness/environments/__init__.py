"""Codified environments: a virtual environment for a framework, with the very kernel and plugins that are running."""
