"""The charts of a run, as Vega-Lite documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlharness.reporting.charts import zoomable
from mlharness.telemetry import Sample

Document = Mapping[str, Any]
Spec = dict[str, Any]

MARKS = {"min": "least", "p50": "p50 (median)", "p90": "p90", "p95": "p95", "p97": "p97", "p99": "p99",
         "p99.9": "p99.9", "max": "largest"}  # fmt: skip
"""LoadGen's statistics of latencies, in their order, with the words of a chart."""
STEEP = 20
"""Beyond this ratio of the largest to the median a linear scale would show nothing but the largest."""
SHARES = {
    "other_cpu": "other processes (of the cores)",
    "steal": "stolen by the hypervisor (of CPU time)",
    "throttled": "throttled by the control group (of periods)",
}
"""The columns of telemetry.csv that are shares, in words."""


def chart(**parts: Any) -> Spec:
    """A document that is as wide as the page."""
    return {"width": "container", "autosize": {"type": "fit-x", "contains": "padding"}, **parts}


def quantitative(field: str, title: str, **scale: Any) -> Spec:
    """A channel with numbers."""
    return {"field": field, "type": "quantitative", "title": title, **({"scale": scale} if scale else {})}


def percentiles(latency_ns: Document) -> Spec:
    """LoadGen's percentiles as bars, the shortest latency on top, with the mean as a line."""
    rows = [{"what": words, "ms": latency_ns[key] / 1e6} for key, words in MARKS.items()]
    steep = latency_ns["max"] > STEEP * latency_ns["p50"] and latency_ns["min"] > 0
    scale = {"type": "log"} if steep else {"zero": True}
    y = {"field": "what", "type": "nominal", "sort": None, "title": None}
    x = quantitative("ms", "latency (ms, logarithmic)" if steep else "latency (ms)", **scale)
    bar = {"type": "bar", "height": {"band": 0.62}, "cornerRadiusEnd": 2}
    if steep:  # a bar on a logarithmic scale has no meaningful beginning
        bar = {"type": "point", "filled": True, "size": 90, "opacity": 1}
    mean = {"data": {"values": [{"mean": latency_ns["mean"] / 1e6}]}}
    return chart(
        height=26 * len(rows),
        data={"values": rows},
        layer=[
            {"mark": bar, "encoding": {"x": x, "y": y, "tooltip": [{"field": "what"}, tooltip("ms", ",.4f")]}},
            {
                "mark": {"type": "text", "align": "left", "dx": 8},
                "encoding": {"x": x, "y": y, "text": {"field": "ms", "format": ",.3f"}},
            },
            {
                **mean,
                "mark": {"type": "rule", "strokeDash": [4, 3]},
                "encoding": {"x": {"field": "mean", "type": "quantitative"}, "tooltip": [tooltip("mean", ",.4f")]},
            },
        ],
    )


def histogram(bins: Sequence[Document], marks: Mapping[str, float], what: str) -> Spec:
    """Queries or batches by latency; ``bins`` have ``low``, ``high`` (ms) and ``count``, ``marks`` are named ones."""
    x = {**quantitative("low", "latency (ms)", zero=False), "bin": {"binned": True}}
    bar = {
        "params": [zoomable("x")],
        "mark": {"type": "bar", "clip": True},
        "encoding": {
            "x": x,
            "x2": {"field": "high"},
            "y": {**quantitative("count", what), "axis": {"tickMinStep": 1, "format": "d"}},
            "tooltip": [tooltip("low", ",.4f"), tooltip("high", ",.4f"), tooltip("count", ",d")],
        },
    }
    lines = [line for place, (name, ms) in enumerate(marks.items()) for line in named_line(name, ms, place)]
    return chart(height=220, data={"values": list(bins)}, layer=[bar, *lines])


def named_line(name: str, ms: float, place: int) -> list[Spec]:
    """A dashed line at a latency with its name; each name stands a line below the one before."""
    found = {"data": {"values": [{"name": name, "ms": ms}]}}
    at = {"field": "ms", "type": "quantitative"}
    told = [{"field": "name"}, tooltip("ms", ",.4f")]
    text = {"type": "text", "align": "left", "dx": 4, "y": 6 + 13 * place, "clip": True}
    return [
        {**found, "mark": {"type": "rule", "strokeDash": [4, 3], "clip": True}, "encoding": {"x": at, "tooltip": told}},
        {**found, "mark": text, "encoding": {"x": at, "text": {"field": "name"}}},
    ]


def latency_over_time(points: Sequence[Document]) -> Spec:
    """Each query, or median, p90 and largest of each stretch of time; see ``queries.py``."""
    single = "ms" in points[0]
    x = quantitative("s", "seconds from the first one")
    if single:
        marks = {
            "params": [zoomable("x", "y")],
            "mark": {"type": "point", "filled": True, "size": 14, "opacity": 0.5, "clip": True},
            "encoding": {
                "x": x,
                "y": quantitative("ms", "latency (ms)", zero=True),
                "tooltip": [tooltip("query", "d"), tooltip("s", ".4f"), tooltip("ms", ",.4f")],
            },
        }
        return chart(height=220, data={"values": list(points)}, **marks)
    long = [{"s": one["s"], "of each stretch": name, "ms": one[name]} for one in points
            for name in ("median", "p90", "largest")]  # fmt: skip
    colour = {"field": "of each stretch", "type": "nominal", "sort": ["largest", "p90", "median"]}
    line = {
        "params": [zoomable("x", "y")],
        "mark": {"type": "line", "clip": True},
        "encoding": {
            "x": x,
            "y": quantitative("ms", "latency (ms)", zero=True),
            "color": colour,
            "tooltip": [{"field": "of each stretch"}, tooltip("s", ".3f"), tooltip("ms", ",.4f")],
        },
    }
    return chart(height=220, data={"values": long}, **line)


def throughput_over_time(samples: Sequence[Sample], stretches: Sequence[Document]) -> Spec:
    """Samples a second in each stretch of the test of which somebody told; contaminated stretches are shaded."""
    rows = [
        {"s": (sample.start_s + sample.end_s) / 2, "from": sample.start_s, "to": sample.end_s,
         "samples a second": sample.samples_s}
        for sample in samples if sample.samples_s is not None
    ]  # fmt: skip
    encoding = {
        "x": quantitative("s", "seconds from the run's start", zero=False),
        "y": quantitative("samples a second", "samples a second", zero=True),
        "tooltip": [tooltip("from", ".2f"), tooltip("to", ".2f"), tooltip("samples a second", ",.1f")],
    }
    line = {"params": [zoomable("x")], "mark": {"type": "line", "clip": True}, "encoding": encoding}
    point = {"mark": {"type": "point", "filled": True, "opacity": 1, "clip": True}, "encoding": encoding}
    return chart(height=180, data={"values": rows}, layer=[*shades(stretches), line, point])


def host_over_time(samples: Sequence[Sample], stretches: Sequence[Document]) -> Spec | None:
    """What else took the processors, second by second; None where the host does not tell."""
    rows = list(share_rows(samples))
    if not rows:
        return None
    line = {
        "params": [zoomable("x")],
        "mark": {"type": "line", "interpolate": "step-after", "clip": True},
        "encoding": {
            "x": quantitative("s", "seconds from the run's start", zero=False),
            "y": quantitative("percent", "%", zero=True),
            "color": {
                "field": "lost to",
                "type": "nominal",
                "legend": {"orient": "bottom", "title": None, "labelLimit": 0},
            },
            "tooltip": [{"field": "lost to"}, {"field": "phase"}, tooltip("s", ".2f"), tooltip("percent", ".2f")],
        },
    }
    return chart(height=180, data={"values": rows}, layer=[*shades(stretches), line])


def share_rows(samples: Sequence[Sample]) -> Iterator[Spec]:
    """The shares of the host as flat data; each ends where the next begins, the last with a point of its own."""
    for name, words in SHARES.items():
        known = [(sample, getattr(sample, name)) for sample in samples if getattr(sample, name) is not None]
        if not any(share for _, share in known) and name != "other_cpu":
            continue  # a line at zero tells nothing
        for sample, share in known:
            yield {"s": sample.start_s, "lost to": words, "phase": sample.phase, "percent": 100 * share}
        if known:
            last, share = known[-1]
            yield {"s": last.end_s, "lost to": words, "phase": last.phase, "percent": 100 * share}


def shades(stretches: Sequence[Document]) -> list[Spec]:
    """A layer that shades contaminated stretches; none without."""
    if not stretches:
        return []
    rows = [
        {"from": one["start_s"], "to": one["end_s"], "contaminated": "; ".join(one["reasons"])} for one in stretches
    ]
    return [
        {
            "data": {"values": rows},
            "mark": {"type": "rect", "color": "var(--bad)", "opacity": 0.14, "clip": True},
            "encoding": {
                "x": {"field": "from", "type": "quantitative"},
                "x2": {"field": "to"},
                "tooltip": [{"field": "contaminated"}],
            },
        }
    ]


def score_interval(found: Document) -> Spec:
    """An accuracy with its interval, and its target as a tick."""
    low, high = found["interval"]
    rows = [{"low": low, "high": high, "value": found["value"]}]
    title = f"{found['metric']} {found['unit']}".strip()
    x = {"type": "quantitative", "title": title, "scale": {"zero": False, "nice": True}}
    layers: list[Spec] = [
        {"mark": {"type": "rule", "size": 3, "color": "var(--c1)"},
         "encoding": {"x": {"field": "low", **x}, "x2": {"field": "high"}, "tooltip": [tooltip("low", ",.4f"),
                                                                                  tooltip("high", ",.4f")]}},
        {"mark": {"type": "point", "filled": True, "size": 110, "opacity": 1},
         "encoding": {"x": {"field": "value", **x}, "tooltip": [tooltip("value", ",.4f")]}},
    ]  # fmt: skip
    if found["target"] is not None:
        target = {"data": {"values": [{"target": found["target"]}]}}
        at = {"x": {"field": "target", **x}}
        layers += [
            {**target, "mark": {"type": "tick", "thickness": 2, "size": 28, "color": "var(--warn)"}, "encoding": at},
            {**target, "mark": {"type": "text", "dy": -20, "color": "var(--muted)"},
             "encoding": {**at, "text": {"value": f"target {found['target']:g}"}}},
        ]  # fmt: skip
    return chart(height=56, data={"values": rows}, layer=layers)


def search_trials(trials: Sequence[Document]) -> Spec:
    """The rates that a search tried, and which of them LoadGen's rules let pass."""
    rows = [
        {"trial": number, "queries a second": trial["target_qps"], "verdict": "passed" if trial["valid"] else "did not"}
        for number, trial in enumerate(trials, 1)
    ]
    colour = {
        "field": "verdict", "type": "nominal", "title": None,
        "scale": {"domain": ["passed", "did not"], "range": ["var(--good)", "var(--bad)"]},
    }  # fmt: skip
    return chart(
        height=160,
        data={"values": rows},
        mark={"type": "point", "filled": True, "size": 90, "opacity": 1},
        encoding={
            "x": {"field": "trial", "type": "ordinal", "axis": {"labelAngle": 0}},
            "y": quantitative("queries a second", "queries a second", zero=True),
            "color": colour,
            "shape": {"field": "verdict", "type": "nominal", "title": None, "scale": {"domain": ["passed", "did not"]}},
            "tooltip": [{"field": "trial"}, tooltip("queries a second", ",.4f"), {"field": "verdict"}],
        },
    )


def tooltip(field: str, form: str) -> Spec:
    """A number under the pointer."""
    return {"field": field, "type": "quantitative", "format": form}
