"""A folder that runs the same benchmark in a container: lock, wheels, a Dockerfile, and for MLCube its description."""

from __future__ import annotations

import json
from pathlib import Path
from string import Template
from typing import Any

from mlharness.environments.creating import Telling
from mlharness.environments.locking import INSTALL, WHEELS, write_lock
from mlharness.environments.record import Record, short
from mlharness.errors import UserError

LOCK = "requirements.lock"
ACCELERATED = ("gpu", "cuda", "rocm", "tensorrt")
"""Variants whose container is given the host's GPUs."""

_DOCKERFILE = Template("""\
# $name, as mlh env export wrote it. Build it in this folder: docker build --tag $image .
FROM python:$python-slim
WORKDIR /mlharness
COPY $lock ./
$wheels\
# The lock names every package; its hashes are checked, and nothing is built.
RUN pip $install --no-cache-dir --requirement $lock
# Run directories and downloads: mount a volume here to keep them.
ENV MLH_DATA_DIR=/mlharness/data MLH_CACHE_DIR=/mlharness/cache
# Options of mlh bench follow: docker run $image --scenario Offline
ENTRYPOINT $entry
""")


def write_container(record: Record, mlcube: bool, model: str, folder: Path, telling: Telling) -> list[Path]:
    """Write the folder; the files that were written.

    Args:
        record: the environment.
        mlcube: whether ``mlcube.yaml`` is written too, whose tasks the Dockerfile then serves.
        model: the name of the model that is measured.
        folder: where to; made when it is missing.
        telling: whom to tell of the work.

    Raises:
        UserError: a file cannot be written, or a package cannot be locked.
    """
    locked = write_lock(record, folder / LOCK, telling)
    texts = {"Dockerfile": dockerfile(record, model, len(locked) > 1, mlcube)}
    if mlcube:
        texts["mlcube.yaml"] = mlcube_yaml(record, model)
    try:
        for name, text in texts.items():
            (folder / name).write_text(text, "utf-8")
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror}", "Choose another with --output.") from error
    return [*(folder / name for name in texts), *locked]


def dockerfile(record: Record, model: str, has_wheels: bool, mlcube: bool) -> str:
    """The Dockerfile that installs the lock and runs ``mlh bench MODEL`` with the framework's very version."""
    bench = ["mlh", "bench", model, "--framework", f"{record.framework}=={record.framework_version}"]
    if mlcube:
        # MLCube's first argument is the task's name, which the shell takes as its own.
        bench = ["/bin/sh", "-c", f'exec {" ".join(bench)} "$@"']
    return _DOCKERFILE.substitute(
        name=record.name,
        image=image(record),
        python=short(record.python),
        lock=LOCK,
        wheels=f"COPY {WHEELS} ./{WHEELS}\n" if has_wheels else "",
        install=" ".join(INSTALL),
        entry=json.dumps(bench),
    )


def image(record: Record) -> str:
    """The image's name; a tag takes no '+'."""
    return f"mlharness/{record.framework}:{record.name.replace('+', '-').lower()}"


def mlcube_yaml(record: Record, model: str) -> str:
    """MLCube's description, in the form of ``schemas/mlcube.v1.schema.json``."""
    import yaml

    return yaml.safe_dump(mlcube_document(record, model), sort_keys=False, width=120)


def mlcube_document(record: Record, model: str) -> dict[str, Any]:
    """One task, ``bench``; its output is the folder of run directories, as ``mlh bench --output`` takes it."""
    accelerated = record.variant in ACCELERATED
    return {
        "name": f"mlharness-{model}-{record.framework}",
        "description": f"Benchmark of {model} on {record.framework} {record.framework_version} by mlharness.",
        "authors": [{"name": "mlharness"}],
        "platform": {"accelerator_count": int(accelerated), "need_internet_access": True},
        "docker": {
            "image": image(record),
            "build_context": ".",
            "build_file": "Dockerfile",
            "build_strategy": "auto",
            **({"gpu_args": "--gpus=all"} if accelerated else {}),
        },
        "tasks": {"bench": {"parameters": {"outputs": {"output": {"type": "directory", "default": "runs"}}}}},
    }
