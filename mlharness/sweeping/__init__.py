"""Sweeps: many models on many systems, run one after the other, and resumed where they were stopped."""
