"""What mutations begin with: shipped manifests, a configuration file, a user.conf, command lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlharness.plugins import build_manager

CONFIGURATION: dict[str, Any] = {
    "bench": {
        "scenario": "Offline",
        "duration": 2.5,
        "instances": 1,
        "label": ["who=ci"],
        "option": ["largest_batch=8"],
    },
    "profiles": {"slow": {"bench": {"target-qps": 10, "warmup": 5, "block": [], "framework": "null"}}},
}
USER_CONF = b"""# settings of a test
*.Server.target_qps = 1000
*.Server.target_latency = 10
*.*.min_duration = 600000
resnet50.SingleStream.target_latency = 0.5
*.MultiStream.samples_per_query = 8
"""
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("bench", "--dry-run", "null", "--scenario", "Server", "--target-qps", "100", "--json"),
    ("bench", "--dry-run", "null", "--framework", "null==1", "--label", "a=b", "--option", "largest_batch=8"),
    ("bench", "--dry-run", "null", "--rules", "mlperf", "--mode", "both", "--count", "5", "--seed", "1"),
    ("models",),
    ("models", "show", "null", "--json"),
    ("datasets", "show", "null"),
    ("datasets", "--block", "builtin-null"),
    ("plugins", "-v"),
    ("validate", "missing.yaml", "--json"),
    ("trust", "list"),
    ("trust", "revoke", "abc"),
    ("--help",),
)
VOCABULARY = (
    "--json", "-q", "-vv", "--no-color", "--help", "-h", "--version", "--dataset", "--scenario", "Server",
    "MultiStream", "--mode", "accuracy", "--device", "cuda:0", "--instances", "--threads", "--batch-size", "--max-wait",
    "--duration", "--target-latency", "--min-queries", "--warmup", "--repeat", "--user-conf", "--audit-conf",
    "--system-description", "--trust", "--output", "--block", "--profile", "--seed", "1e308",
    "99999999999999999999", "0", "0.5", "inf", "null", "digits-cnn", "./x.yaml", "x.yml", "show", "list", "revoke",
    "bench", "validate", "models",
)  # fmt: skip


def manifests() -> list[bytes]:
    """The bytes of every manifest that mlharness and the installed plugins ship."""
    folders: list[Path] = [entry.provider.path for entry in build_manager().catalog.manifests]
    return [file.read_bytes() for folder in folders for file in sorted(folder.glob("*/*.yaml"))]


def with_python(source: str) -> bytes:
    """A manifest whose steps are Python that runs ``source``, when it is loaded and when it is called."""
    steps = "".join(
        f"{stage}:\n  - python: |\n      {source}\n"
        f"      def {stage}(ctx, data):\n          {source}\n          return data\n"
        for stage in ("preprocess", "postprocess")
    )
    return (
        "kind: model\nname: canary\nversion: 1.0.0\nframework: {name: 'null'}\ndataset: 'null'\n"
        "inputs: [{name: x, dtype: float32, shape: [null, 16]}]\n"
        f"outputs: [{{name: y, dtype: float32, shape: [null, 1]}}]\n{steps}"
    ).encode()
