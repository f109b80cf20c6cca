"""What the hardware and the host did during a traced run, over time: one probe for each thing that tells.

A probe is opened before the model is loaded, and then asked ten times a second. What it needs from the host it reads
with :mod:`mlharness.telemetry`, which also judges how quiet a run was.
"""
