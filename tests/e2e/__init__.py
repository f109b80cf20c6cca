"""``mlh`` as a user runs it: real processes, real LoadGen, real models."""
