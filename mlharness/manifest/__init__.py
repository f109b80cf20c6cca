"""Manifests: YAML files of model and data-set authors, checked and turned into frozen dataclasses. Nothing is executed."""
