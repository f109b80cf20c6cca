"""Manifests: YAML files of model and data-set authors, checked and made frozen dataclasses. Nothing is executed."""
