"""The page of a comparison: verdict and fairness first, then metric by metric, then the layers that explain it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from string import ascii_uppercase
from typing import Any

from markupsafe import Markup

from mlharness.comparing.wording import change, interval, left_out, percent, remarks, shortened, value
from mlharness.reporting import comparison_charts
from mlharness.reporting.charts import make_chart
from mlharness.reporting.page import Cell, Column, Section, make_page, make_table
from mlharness.reporting.rendering import render
from mlharness.wording import FIGURES, milliseconds

Document = Mapping[str, Any]
TONES = {"faster": "good", "slower": "bad", "better": "good", "worse": "bad", "not ranked": "warn",
         "not comparable": "warn"}  # fmt: skip


def comparison_page(document: Document, more: Sequence[Section] = ()) -> str:
    """The page of a comparison, in the form of ``schemas/comparison.v1.schema.json``.

    Raises:
        UserError: the extra ``plots``, which draws charts, is not installed.
    """
    names = [group["name"] for group in document["groups"]]
    letters = {name: letter_of(place) for place, name in enumerate(names)}
    sections = [
        verdicts(document, letters),
        groups(document, letters),
        *(
            part
            for comparison in document["comparisons"]
            for part in pair(comparison, letters, len(document["groups"]))
        ),
        *more,
        again(document),
    ]
    title = f"{' and '.join(names)}: comparison"
    header = render("comparison/header.html", letters=letters)
    return make_page(title, sections, header=header, kind="comparison")


def letter_of(place: int) -> str:
    """What a group is called for short."""
    return ascii_uppercase[place] if place < len(ascii_uppercase) else str(place + 1)


def verdicts(document: Document, letters: Mapping[str, str]) -> Section:
    """Of each pair: the verdict, the change that decides, whether it is fair, and what must be said with it."""
    parts = Markup("")
    for comparison in document["comparisons"]:
        a, b = letters[comparison["a"]], letters[comparison["b"]]
        decides = next((metric for metric in comparison["metrics"] if metric["decides"]), None)
        told = [text for text in remarks(comparison, {"a": a, "b": b}) if not text.startswith("unfair: ")]
        parts += render(
            "comparison/verdict.html",
            comparison=comparison,
            a=a,
            b=b,
            tone=TONES.get(comparison["verdict"], ""),
            decides=decides and decision(decides),
            remarks=told,
            checks=[check for check in document["checks"] if check["b"] == comparison["b"]],
        )
    return Section("Verdict", parts)


def decision(metric: Document) -> dict[str, str]:
    """The metric that decides, in words."""
    return {
        "name": named(metric),
        "change": change(metric["ratio"]),
        "interval": interval(metric),
        "smallest": "" if metric["smallest"] is None else percent(metric["smallest"]),
        "better": metric["better"],
    }


def groups(document: Document, letters: Mapping[str, str]) -> Section:
    """What was compared: in a table what the groups differ in, below it what they have in common."""
    every = [described(group) for group in document["groups"]]
    common = [key for key in every[0] if len({one[key] for one in every}) == 1]
    changing = [key for key in every[0] if key not in common]
    columns = [Column(""), Column("Runs called"), Column("Count", True), *map(Column, changing),
               Column("Quality", told="How many runs have each grade")]  # fmt: skip
    rows = [
        [
            letters[group["name"]], group["name"], Cell(str(len(group["runs"])), len(group["runs"])),
            *(one[key] for key in changing), ", ".join(f"{count} {grade}" for grade, count in group["grades"].items()),
        ]
        for group, one in zip(document["groups"], every, strict=True)
    ]  # fmt: skip
    facts = [(f"{key} of all", every[0][key]) for key in common if every[0][key]]
    lines = render("list.html", lines=list(left_out(document["groups"])))
    return Section("Runs", make_table(columns, rows) + lines + render("facts_list.html", facts=facts))


def described(group: Document) -> dict[str, str]:
    """What a group is of, in words."""
    about = group["about"]
    return {
        "Model": about["model"] + (" (random weights)" if about["weights"] == "random" else ""),
        "Framework": " ".join(filter(None, (about["framework"], about["framework_version"]))),
        "Device": about["device"],
        "Scenario": f"{about['scenario']} ({about['rules']})",
        "Instances": f"{about['instances']} x {about['threads']} threads",
        "Batch": str(about["batch_size"]),
        "Data set": about["dataset"],
        "Host": ", ".join(filter(None, (about["host"], about["cpu"]))),
    }


def pair(comparison: Document, letters: Mapping[str, str], groups: int) -> Iterator[Section]:
    """The sections of one pair."""
    a, b = letters[comparison["a"]], letters[comparison["b"]]
    of = f": {b} against {a}" if groups > 2 else ""
    if comparison["metrics"] or comparison["accuracy"]:
        yield Section(f"Metrics{of}", intervals(comparison, a, b) + metrics(comparison, a, b))
    decides = next((metric for metric in comparison["metrics"] if metric["decides"]), None)
    if decides:
        words = "pair by pair" if comparison["pairs"] is not None else "in the order in which they were made"
        chart = make_chart(
            comparison_charts.runs_of(decides, a, b),
            f"{named(decides)} of each run",
            f"{named(decides)} of each run, {words}.",
        )
        yield Section(f"Run by run{of}", chart)
    if comparison["differences"]:
        yield Section(f"What differs{of}", differences(comparison["differences"], a, b))
    for part in ("layers", "kernels"):
        found = comparison["traces"] and comparison["traces"][part]
        if found:
            yield Section(f"{part.capitalize()}{of}", parts_of(found, part, a, b))


def intervals(comparison: Document, a: str, b: str) -> Markup:
    """The changes with their intervals as a chart; nothing where no metric has a ratio."""
    shown = [metric for metric in comparison["metrics"] if metric["ratio"] is not None]
    if not shown:
        return Markup("")
    confidence = f"{100 * comparison['confidence']:.4g} %"
    told = f"Change from {a} to {b}; lines: the {confidence} interval, which too few runs have not."
    spec = comparison_charts.changes([(named(metric), metric) for metric in shown])
    return make_chart(spec, f"change of each metric from {a} to {b}", told)


def metrics(comparison: Document, a: str, b: str) -> Markup:
    """Metric by metric; the accuracy in its own unit."""
    columns = (Column("Metric"), Column(a, True), Column(b, True), Column("Change", True), Column("Interval", True),
               Column("Could have seen", True, "The smallest change that this many runs would have shown 4 times in 5"),
               Column("Verdict"))  # fmt: skip
    rows: list[list[Cell | str]] = [
        [
            Cell(named(metric), kind="decides" if metric["decides"] else ""),
            *(Cell(value(metric[side]["mean"], metric["unit"]), metric[side]["mean"]) for side in ("a", "b")),
            Cell(change(metric["ratio"]), metric["ratio"]),
            Cell(interval(metric)),
            Cell("" if metric["smallest"] is None else percent(metric["smallest"]), metric["smallest"]),
            Cell(metric["verdict"], kind=TONES.get(metric["verdict"], "")),
        ]
        for metric in comparison["metrics"]
    ]
    found = comparison["accuracy"]
    if found:
        bounds = found["interval"]
        rows.append([
            found["metric"],
            *(Cell(f"{one['value']:.5g} {found['unit']}".rstrip(), one["value"]) for one in (found["a"], found["b"])),
            "" if found["difference"] is None else f"{found['difference']:+.3g}",
            "" if bounds is None else f"{bounds[0]:+.3g} to {bounds[1]:+.3g}",
            "" if found["smallest"] is None else f"{found['smallest']:.2g}",
            Cell(found["verdict"], kind=TONES.get(found["verdict"], "")),
        ])  # fmt: skip
    return make_table(columns, rows)


def differences(found: Sequence[Document], a: str, b: str) -> Markup:
    """What differs in what was run, the unfair differences marked."""
    columns = (Column("Aspect"), Column("What"), Column(a), Column(b), Column("Fair"))
    rows = [
        [one["aspect"], one["name"] if one["name"] != one["aspect"] else "", shortened(one["a"]), shortened(one["b"]),
         Cell(f"unfair: {one['unfair']}" if one["unfair"] else "yes", kind="bad" if one["unfair"] else "muted")]
        for one in found
    ]  # fmt: skip
    return make_table(columns, rows)


def parts_of(found: Document, part: str, a: str, b: str) -> Markup:
    """Layers or kernels: what they take in a call of the model, and which of them explain the difference."""
    told = (
        f"In a traced call: {milliseconds(found['a_ns'])} in {a}, {milliseconds(found['b_ns'])} in {b}, "
        f"{signed(found['delta_ns'])}. In full colour: the fewest that together make nine tenths of the difference."
    )
    chart = make_chart(comparison_charts.parts(found["rows"]), f"{part} with the largest differences", told)
    columns = (Column(part.removesuffix("s").capitalize()), Column("Type"), Column(a, True), Column(b, True),
               Column("Change", True), Column("Share", True), Column("Explains"), Column("Matched by"))  # fmt: skip
    rows: list[list[Cell | str]] = [
        [
            " → ".join(dict.fromkeys(shortened(", ".join(row[side])) for side in ("a", "b") if row[side])),
            row["type"],
            *(Cell(milliseconds(row[f"{side}_ns"]) if row[side] else "", row[f"{side}_ns"] if row[side] else None)
              for side in ("a", "b")),
            Cell(signed(row["delta_ns"]), row["delta_ns"]),
            Cell("" if row["share"] is None else f"{100 * row['share']:.1f} %", row["share"]),
            "yes" if row["explains"] else "",
            row["how"],
        ]
        for row in found["rows"]
    ]  # fmt: skip
    return chart + make_table(columns, rows)


def signed(nanoseconds: float) -> str:
    """A difference of two times."""
    return f"{'-' if nanoseconds < 0 else '+'}{milliseconds(abs(nanoseconds))}"


def again(document: Document) -> Section:
    """What to type to compare the same again."""
    anyway = ["--anyway"] if any(comparison["anyway"] for comparison in document["comparisons"]) else []
    command = shlex.join(["mlh", "compare", *(group["name"] for group in document["groups"]), *anyway])
    runs = [(group["name"], ", ".join(group["runs"])) for group in document["groups"]]
    return Section("Reproduce", render("comparison/again.html", command=command, facts=runs))


def named(metric: Document) -> str:
    """A metric in words."""
    return FIGURES.get(metric["name"], f"latency {metric['name']}")
