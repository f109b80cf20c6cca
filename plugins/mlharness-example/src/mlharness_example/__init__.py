"""The framework and the step ``example`` for mlharness."""
