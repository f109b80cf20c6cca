"""What differs between two runs in what was run, and which differences make ranking them unfair.

A pair is fair when both did the same work by the same rules: the same network and data, the same precision, the same
questions of LoadGen, the same targets. What remains (framework, version, options, host, manifest) is what people
compare, so that it is told and nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlharness import likeness
from mlharness.comparing.runs import Run

Read = Callable[[Run], Any]
PRECISIONS = ("precision", "mixed_precision", "compute_type", "dtype")
"""Options of frameworks that say in what a model is computed."""
AS_IT_IS = (None, False, "", "none", "auto", "default", "float32")
"""Values of these options that leave a model as its file and tensors are."""
COMPONENTS = ("mlharness", "mlcommons_loadgen", "numpy")
"""Packages whose versions are told one by one; the others that differ are told together."""


@dataclass(frozen=True)
class Difference:
    """One thing that differs: its aspect, its name, both values, and why that is unfair (empty when it is not)."""

    aspect: str
    name: str
    a: Any
    b: Any
    unfair: str = ""


@dataclass(frozen=True)
class Aspect:
    """Values of a run by name, what they are, and why ranking runs that differ in one is unfair (empty: it is not).

    What a run does not know has no name there; only names that both runs have are compared.
    """

    name: str
    read: Callable[[Run], Mapping[str, Any]]
    what: str
    unfair: str = ""


def differences(a: Run, b: Run) -> list[Difference]:
    """Everything that differs, unfair or not, aspect by aspect."""
    found = [*_of_model(a, b)]
    for aspect in ASPECTS:
        found += _of_aspect(aspect, a, b)
    return found


def _of_aspect(aspect: Aspect, a: Run, b: Run) -> Iterator[Difference]:
    ones, others = aspect.read(a), aspect.read(b)
    for name in ones:
        if name not in others or ones[name] == others[name]:
            continue
        one, other = ones[name], others[name]
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            keys = sorted(key for key in {*one, *other} if one.get(key) != other.get(key))
            one, other = ({key: whole.get(key) for key in keys} for whole in (one, other))
        yield Difference(aspect.name, name, one, other, aspect.unfair)


def _of_model(a: Run, b: Run) -> Iterator[Difference]:
    """The network, its weights and its answers: the same file is the same model, and so are the same answers.

    A model in another format has other files, and often other numbers of weights, as batch normalisation is folded in.
    """
    one, other = a.result["model"], b.result["model"]
    if one["weights"] != other["weights"]:
        why = "trained weights on one side, random ones on the other"
        yield Difference("weights", "weights", one["weights"], other["weights"], why)
    files = [tuple(file["sha256"] for file in model["files"]) for model in (one, other)]
    random = one["weights"] == other["weights"] == "random"
    answers = _answers(a, b, files[0] == files[1], random)
    if answers:
        yield answers
    if files[0] != files[1]:
        yield Difference("weights", "model files", list(files[0]), list(files[1]))
    alike = answers is None or not answers.unfair
    for key in ("parameters", "multiply_adds"):
        if None not in (one[key], other[key]) and one[key] != other[key]:
            why = "" if alike and not random else "another network"
            yield Difference("network", key, one[key], other[key], why)
    for key in ("name", "version"):
        if one[key] != other[key]:
            yield Difference("model", key, one[key], other[key])


def _answers(a: Run, b: Run, same_files: bool, random: bool) -> Difference | None:
    """How the outputs on the first samples differ; None when they are the same to the bit, or nobody can tell."""
    one, other = a.result["fingerprint"], b.result["fingerprint"]
    if one is None or other is None:
        if same_files or random:
            return None
        why = "other files, and no fingerprint to tell whether it is the same model"
    else:
        told, alike = likeness.compare(one, other)
        if not told:
            return None
        why = "" if alike or random else told.partition(": fingerprint")[0]
    first, second = (found["sha256"] if found else None for found in (one, other))
    return Difference("outputs", "fingerprint", first, second, why)


def _scenario(run: Run) -> dict[str, Any]:
    return {"scenario": run.result["scenario"]}


def _rules(run: Run) -> dict[str, Any]:
    return {"rules": run.result["rules"]}


def _data(run: Run) -> dict[str, Any]:
    dataset = run.result["dataset"]
    return {"data set": dataset["name"], "manifest": dataset["manifest_sha256"], "samples": dataset["count"]}


def _preprocessing(run: Run) -> dict[str, Any]:
    return _steps(run, "preprocess")


def _precision(run: Run) -> dict[str, Any]:
    options = run.result["framework"]["options"]
    reduced = [f"{name}={options[name]}" for name in PRECISIONS if options.get(name) not in AS_IT_IS]
    found: dict[str, Any] = {"computed in": ", ".join(reduced) or "as the model is"}
    for kind in ("inputs", "outputs"):
        if "model" in run.plan:
            dtypes = {tensor["dtype"] for tensor in run.plan["model"][kind]}
            found[kind] = sorted(dtype for dtype in dtypes if "float" in dtype)
    return found


def _target(run: Run) -> dict[str, Any]:
    """What LoadGen asks of a scenario; a rate that was searched is no target, but what was found."""
    scenario, settings = run.result["scenario"], run.settings
    keys = {
        "SingleStream": ("single_stream_target_latency_percentile",),
        "MultiStream": ("multi_stream_target_latency_percentile", "multi_stream_samples_per_query"),
        "Server": ("server_target_latency_ns", "server_target_latency_percentile"),
    }.get(scenario, ())
    found = {key: settings[key] for key in keys if key in settings}
    if scenario == "Server" and settings:
        found["rate"] = "searched" if run.searched else settings.get("server_target_qps")
    return found


def _audit(run: Run) -> dict[str, Any]:
    issue = {key: value for key, value in run.settings.items() if key.startswith("performance_issue_")}
    return {"audit.config": run.plan.get("test", {}).get("audit_conf_sha256") or "none", **issue}


def _load(run: Run) -> dict[str, Any]:
    """How long LoadGen tested, and in which order."""
    keys = ("min_duration_ms", "min_query_count", "max_duration_ms", "max_query_count", "qsl_rng_seed",
            "sample_index_rng_seed", "schedule_rng_seed", "performance_sample_count_override")  # fmt: skip
    return {key: run.settings[key] for key in keys if key in run.settings}


def _settings(run: Run) -> dict[str, Any]:
    framework = run.result["framework"]
    own = {key: framework[key] for key in ("device", "instances", "threads", "batch_size", "max_wait_us")}
    options = {f"option {key}": value for key, value in framework["options"].items() if key not in PRECISIONS}
    warmup = {"warmup": run.plan["warmup"]} if "warmup" in run.plan else {}
    return {**own, **options, **warmup, **_steps(run, "postprocess")}


def _manifest(run: Run) -> dict[str, Any]:
    return {"manifest": run.result["model"]["manifest_sha256"]}


def _versions(run: Run) -> dict[str, Any]:
    framework, packages = run.result["framework"], dict(run.system.get("packages", {}))
    packages.pop(framework["name"], None)
    told = {name: packages.pop(name, None) for name in COMPONENTS}
    found = {"framework": framework["name"], "framework version": framework["version"], "plugin": framework["plugin"]}
    return {**found, **_known({"python": run.system.get("python"), **told, "other packages": packages or None})}


def _variables(run: Run) -> dict[str, Any]:
    return _known({"variables": run.system.get("variables")})


def _host(run: Run) -> dict[str, Any]:
    cpu = run.system.get("cpu", {})
    more = {"kernel": run.system.get("kernel"), "governor": cpu.get("governor"), "quota": cpu.get("cgroup_quota")}
    return _known({**run.result["system"], **more})


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _steps(run: Run, which: str) -> dict[str, Any]:
    """The steps as they are written; Python in a manifest is told by what it does, its source."""
    if which not in run.plan:
        return {}
    steps = run.plan[which]
    return {which: [{step["name"]: step["parameters"]} if step["parameters"] else step["name"] for step in steps]}


ASPECTS: tuple[Aspect, ...] = (
    Aspect("scenario", _scenario, "LoadGen's scenario", "LoadGen asked in another way"),
    Aspect("rules", _rules, "quick or mlperf", "other rules"),
    Aspect("data", _data, "the data set, its manifest, and how many samples", "other data"),
    Aspect(
        "precision",
        _precision,
        "the option of the framework that sets it, and floating dtypes of inputs and outputs",
        "another precision is another amount of work",
    ),
    Aspect(
        "target",
        _target,
        "the percentile, samples a query, Server's latency limit, and the rate unless it was searched",
        "another target",
    ),
    Aspect("audit", _audit, "an audit.config, and what it sets", "an audit changes what LoadGen asks"),
    Aspect("manifest", _manifest, "the model's manifest"),
    Aspect("preprocessing", _preprocessing, "the steps before the model, which are not timed"),
    Aspect("load", _load, "how long LoadGen tests, its seeds, and how many samples are held ready"),
    Aspect(
        "settings",
        _settings,
        "device, instances, threads, batches, warm-up, options of the framework, the steps after the model",
    ),
    Aspect("versions", _versions, "the framework, its version and plugin, Python, mlharness, LoadGen, other packages"),
    Aspect("environment", _variables, "environment variables by which frameworks and their libraries are tuned"),
    Aspect("host", _host, "name, processor, cores, memory, operating system, governor"),
)
"""All but the model itself, in the order in which they are told. What is unfair has its reason."""
