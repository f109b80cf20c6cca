"""What writes the generated passages of the pages; cog calls it (``nox -s docs -- --write``)."""
