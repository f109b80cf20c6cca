"""Whether memory stays where it is: ``python -m tests.soak`` prints one table."""
