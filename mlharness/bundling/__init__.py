"""Bundles: one file that holds a run, by which somebody else can check it and make it again."""
