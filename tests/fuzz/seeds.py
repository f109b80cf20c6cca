"""What mutations begin with: shipped manifests, a configuration file, a user.conf, command lines."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from mlharness.plugins import build_manager

MANIFEST_KEYS = (
    "kind", "name", "version", "framework", "frameworks", "members", "model", "files", "inputs", "outputs", "dataset",
    "options", "preprocess", "postprocess", "metric", "mlperf", "bench", "requires", "provider", "attributes",
    "md5", "python", "response", "unit", "higher_is_better",
    "weights", "parallel", "allow_non_finite", "description", "license", "modality", "references",
)  # fmt: skip
PUBLISHED_KEYS = (
    "output", "hidden", "container", "init", "load", "unload", "before_preprocess", "after_preprocess",
    "before_postprocess", "after_postprocess",
)  # fmt: skip
"""Keys of the published format beside those that it shares with ours."""
CONFIGURED: dict[str, tuple[Any, ...]] = {
    "scenario": ("SingleStream", "Server", "Offline"),
    "mode": ("performance",),
    "rules": ("quick", "mlperf"),
    "duration": (2.5, 1, 1e9, 1e-9),
    "instances": (1,),
    "threads": (1, 7),
    "batch-size": (1, 2**31),
    "max-wait": (0, 0.25, 1e9),
    "target-qps": (10, 0.5, 1e9),
    "target-latency": (15, 1e-3),
    "min-queries": (1, 2**63 - 1),
    "count": (1, 10**9),
    "warmup": (5,),
    "seed": (0, 2**63 - 1),
    "repeat": (1, 3),
    "require-quality": ("A", "B"),
    "attempts": (3,),
    "label": (["who=ci"], [], ["a=b=c", "\u202e="]),
    "option": (["largest_batch=8"], []),
    "framework": ("null", "null==1"),
    "dataset": ("null",),
    "device": ("cpu",),
    "stall-timeout": (60, 1e-3),
    "output": ("runs", "~", "a\tb"),
    "block": ([], ["builtin-table"]),
    "allow-http": (True, False),
}
"""Values that each option of ``mlh bench`` takes from a configuration file."""
USER_CONF = b"""# settings of a test
*.Server.target_qps = 1000
*.Server.target_latency = 10
*.*.min_duration = 600000
resnet50.SingleStream.target_latency = 0.5
*.MultiStream.samples_per_query = 8
"""
PUBLISHED = """name: Canary v1.0
version: 1.0
framework: {name: Onnxruntime, version: ^1.8}
license: MIT License
modality: image_classification
references: [https://example.org]
inputs:
  - type: image
    description: the input image
    parameters:
      {element_type: float32, input_layer: 0, layout: HWC, dimensions: [3, 8, 8], mean: [1, 2, 3], scale: 2}
outputs: [{type: classification, parameters: {element_type: float32, output_layer: logits}}]
model:
  is_archive: true
  base_url: https://example.org/a.tgz
  graph_path: https://example.org/a.onnx
  graph_checksum: 0123456789abcdef0123456789abcdef
  weights_path: a.bin
  features_path: https://example.org/labels.txt
attributes: {kind: CNN}
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
    ("manifest", "upgrade", "missing.yml"),
    ("runs", "--model", "res*", "--since", "7d", "--limit", "5", "--json"),
    ("runs", "--label", "who=me", "--framework", "torch==2.*", "--until", "2026-03-01"),
    ("runs", "show", "@last"),
    ("runs", "label", "@-2", "a=b", "--remove", "c"),
    ("runs", "export", "--status", "valid", "--format", "csv"),
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
    "bench", "validate", "models", "manifest", "upgrade",
)  # fmt: skip


def configuration(chance: random.Random) -> dict[str, Any]:
    """Tables that ``mlh bench`` takes: some options of its own, and a profile's."""

    def table() -> dict[str, Any]:
        names = chance.sample(sorted(CONFIGURED), chance.randint(0, 6))
        return {name: chance.choice(CONFIGURED[name]) for name in names}

    return {"bench": table(), "profiles": {chance.choice(("slow", "ci", "a b", "é")): {"bench": table()}}}


def published(source: str) -> list[bytes]:
    """A model and a data set of the published format, whose Python runs ``source`` wherever it would be executed."""
    blocks = {
        stage: f"{source}\ndef {stage}({arguments}):\n    {source}\n    return data\n"
        for stage, arguments in (
            ("before_preprocess", "data=0"), ("preprocess", "ctx, data"), ("postprocess", "ctx, data"),
            ("after_postprocess", "data=0"), ("init", "data"), ("load", "data"), ("unload", "data"),
        )
    }  # fmt: skip

    def block(name: str) -> str:
        return f"{name}: |\n" + "".join(f"  {line}\n" for line in blocks[name].splitlines())

    stages = "".join(map(block, ("before_preprocess", "preprocess", "postprocess", "after_postprocess")))
    single = (
        PUBLISHED.replace("outputs: [{", "output: {")
        .replace("logits}}]", "logits}}")
        .replace("base_url: https", "base_url: http")
    )
    data = "name: Canary Data\n" + "".join(map(block, ("init", "load", "unload")))
    return [(PUBLISHED + stages).encode(), (single + stages).encode(), data.encode()]


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
