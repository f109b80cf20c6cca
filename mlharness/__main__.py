"""``python -m mlharness`` is ``mlh``."""

import sys

from mlharness.cli.start import main

if __name__ == "__main__":
    sys.exit(main())
