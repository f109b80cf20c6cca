"""``python -m mlharness_mlflow RUN...``: log runs that were made before, or while the server was out of reach."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from mlharness.errors import MlharnessError, UserError
from mlharness.runs import Runs
from mlharness_mlflow.apart import without_password
from mlharness_mlflow.plugin import TRACKING_URI


def main(names: Sequence[str]) -> int:
    """Log these runs; 0 when all of them are there. A run that is there already is not logged again."""
    try:
        if not names:
            raise UserError("which run?", "Write: python -m mlharness_mlflow RUN...")
        if not os.environ.get(TRACKING_URI):
            raise UserError(f"{TRACKING_URI} is not set", "Set it to your server's, or to sqlite:///mlflow.db.")
        runs = Runs(lambda text: print(text, file=sys.stderr))
        directories = [run.files() for run in runs.find_all(names)]
    except MlharnessError as error:
        print(error, file=sys.stderr)
        return 2
    from mlharness_mlflow.tracking import Tracking

    try:
        tracking = Tracking()
        for directory in directories:
            print(f"{directory.name}: {tracking.log(directory)}")
    except Exception as error:  # noqa: BLE001  # MLflow's, requests', SQLAlchemy's and the disk's, all told the same way
        words = " ".join(str(error).split())
        print(f"{type(error).__name__}: {without_password(words)}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
