"""A run that is small and real, its bundle, and bundles that somebody has changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from mlharness import runs
from mlharness.bundling.container import write_bundle
from mlharness.bundling.document import DOCUMENT
from mlharness.bundling.findings import Checks
from mlharness.bundling.opening import check_bundle, open_into
from mlharness.bundling.packing import Packed, Wish, pack
from mlharness.environments.creating import Telling
from mlharness.plugins import build_manager

MODEL = {
    "kind": "model",
    "name": "constant",
    "version": "1.0",
    "framework": {"name": "null"},
    "inputs": [{"name": "x", "dtype": "float32", "shape": ["batch", 16]}],
    "outputs": [{"name": "y", "dtype": "float32", "shape": ["batch", 1]}],
    "dataset": "data/rows.yaml",
    "postprocess": ["tensor.argmax"],
    "metric": {"name": "top1", "target": 50.0},
}
DATA = {
    "kind": "dataset",
    "name": "rows",
    "version": "1.0",
    "provider": "table",
    "options": {"file": "../tables/rows.csv", "label_column": -1, "shape": [16], "dtype": "float32"},
}
CLASSES = (0, 0, 0, 1)
"""The labels of the rows; the model always answers 0."""


def write_manifests(folder: Path) -> Path:
    """The model's manifest, and the data set's with its table beside it."""
    for name in ("data", "tables"):
        (folder / name).mkdir(parents=True)
    rows = [",".join([*map(str, range(16)), str(label)]) for label in CLASSES]
    (folder / "tables" / "rows.csv").write_text("\n".join(rows) + "\n", "utf-8")
    (folder / "data" / "rows.yaml").write_text(yaml.safe_dump(DATA), "utf-8")
    (folder / "constant.yaml").write_text(yaml.safe_dump(MODEL), "utf-8")
    return folder / "constant.yaml"


def make_run(folder: Path) -> Path:
    """Run it once in both modes, in processes of its own; the run directory."""
    manifest = write_manifests(folder / "manifests")
    env = {**os.environ, **{f"MLH_{kind}_DIR": str(folder / kind.lower()) for kind in ("DATA", "CACHE", "CONFIG")}}
    command = [
        sys.executable,
        "-m",
        "mlharness",
        "bench",
        str(manifest),
        "--mode",
        "both",
        "--duration",
        "0.7",
        "--quiet",
    ]
    done = subprocess.run(
        [*command, "--output", str(folder / "runs")], env=env, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (directory,) = (folder / "runs").iterdir()
    return directory


def bundle_of(directory: Path, target: Path, **wish: Any) -> Packed:
    """The bundle of a run, with its files and without its environment."""
    return pack(runs.at(directory), target, build_manager(), Wish(**{"files": True, "lock": False, **wish}), Telling())


def members_of(bundle: Path) -> dict[str, bytes]:
    """What is in a bundle."""
    with zipfile.ZipFile(bundle) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def forge(bundle: Path, target: Path, changes: Mapping[str, bytes | None]) -> Path:
    """The bundle with other members (None: without it), all hashes made anew."""
    members = {name: content for name, content in {**members_of(bundle), **changes}.items() if content is not None}
    document = json.loads(members.pop(DOCUMENT))
    import hashlib

    document["members"] = [
        {"name": name, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        for name, content in sorted(members.items())
    ]
    text = (json.dumps(document, indent=2) + "\n").encode()
    write_bundle(target, {DOCUMENT: text, **members})
    return target


def look(bundle: Path, folder: Path) -> Checks:
    """What a check of a bundle finds, without computing its accuracy again."""
    checks = Checks()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    check_bundle(open_into(bundle, folder, checks), checks)
    return checks


def told(checks: Checks) -> str:
    """All findings in one text."""
    return "\n".join(f"{one.where}: {one.what}" for one in checks.findings)
