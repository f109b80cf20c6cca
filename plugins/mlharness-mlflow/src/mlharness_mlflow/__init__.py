"""Logs mlharness's runs to MLflow."""
