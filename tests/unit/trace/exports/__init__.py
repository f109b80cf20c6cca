"""Exports of traces."""
