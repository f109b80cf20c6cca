"""Asks LoadGen what it makes of a user.conf, in a process of its own: LoadGen keeps what it has read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

_PROGRAM = """
import json, sys
import mlperf_loadgen as lg
settings = lg.TestSettings()
code = settings.FromConfig(*sys.argv[1:4], 1)
names = [name for name in dir(settings) if not name.startswith("_") and name != "FromConfig"]
values = {name: getattr(settings, name) for name in names}
print(json.dumps({"code": code, **{name: value for name, value in values.items() if isinstance(value, (int, float))}}))
"""


def ask_loadgen(conf: Path, model: str, scenario: str) -> dict[str, Any]:
    """LoadGen's return code under ``code`` (0: it took the file), and every numeric setting by its own name."""
    command = [sys.executable, "-c", _PROGRAM, str(conf), model, scenario]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer
