"""The verdict on a run: where its time goes, what was found, what could not be judged, and what to change."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlharness.explaining.evidence import NOT_TRACED, Evidence, read_evidence
from mlharness.explaining.rules import RULES
from mlharness.explaining.rules.rule import Fact, Finding, Rule, Unsaid, duration, percent
from mlharness.explaining.shares import PARTS, Little, Shares, little_of, shares_of
from mlharness.trace.levels import LEVELS


@dataclass(frozen=True)
class Silent:
    """A rule that could not judge, and why."""

    rule: Rule
    reason: str


@dataclass(frozen=True)
class Verdict:
    """Findings, the most weighty first; ``preprocess_ns`` stands in no figure."""

    evidence: Evidence
    shares: Shares | None
    little: Little | None
    findings: tuple[tuple[Rule, Finding], ...]
    silent: tuple[Silent, ...]

    @property
    def headline(self) -> str:
        """One sentence: where most of the time goes."""
        setup, shares = self.evidence.setup, self.shares
        what = f"{setup.model} on {setup.framework}, {setup.scenario}"
        if shares is None:
            return f"{what}: without the levels application and model nobody knows where the time goes."
        part = max(PARTS, key=lambda part: shares[part])
        told = "between batches" if part == "idle" else f"in {part}"
        return f"{what}: {percent(shares[part])} of {shares.of} is spent {told}."


def explain(run: Path, announce: Callable[[str], None] = lambda text: None) -> Verdict:
    """The verdict on a traced run; ``announce`` is told what takes long. Raises UserError for one without a trace."""
    return judge(read_evidence(run, announce))


def judge(evidence: Evidence, rules: Iterable[Rule] = RULES) -> Verdict:
    """What the rules say of the evidence."""
    found, silent = [], []
    for rule in rules:
        lacking = [(level, why) for level in rule.needs if (why := evidence.lacks(level))]
        answer = Unsaid(_lacking(lacking)) if lacking else rule.judge(evidence)
        if isinstance(answer, Unsaid):
            silent.append(Silent(rule, answer.reason))
        elif answer is not None:
            found.append((rule, answer))
    found.sort(key=lambda pair: -pair[1].weight)
    return Verdict(evidence, shares_of(evidence), little_of(evidence), tuple(found), tuple(silent))


def _lacking(levels: list[tuple[str, str]]) -> str:
    """Which levels are missing, and what to ask for where they were only not asked for."""
    untraced = [level for level, why in levels if why == NOT_TRACED]
    told = [f"{level}: {why}" for level, why in levels if why != NOT_TRACED]
    if untraced:
        wanted = ",".join(level for level in LEVELS if level in {"application", "model", *untraced})
        told.append(f"trace with {' and '.join(untraced)} to see it: --trace {wanted}")
    return "; ".join(told)


def document(verdict: Verdict) -> dict[str, Any]:
    """The verdict as plain JSON data; times in nanoseconds, shares as parts of 1."""
    shares, little = verdict.shares, verdict.little
    return {
        "headline": verdict.headline,
        "shares": shares
        and {"of": shares.of, "mean_ns": shares.mean_ns, "parts": {part: shares[part] for part in PARTS}},
        "preprocess_ns": verdict.evidence.preprocess_ns,
        "little": little
        and {
            "expected": little.expected, "counted": little.counted, "holds": little.holds,
            "in_service": little.in_service, "instances": little.instances, "utilisation": little.utilisation,
        },
        "findings": [
            {
                "rule": rule.name, "verdict": one.verdict, "weight": one.weight, "change": one.change,
                "evidence": [{"name": fact.name, "value": fact.value, "unit": fact.unit} for fact in one.facts],
                "gain": one.gain and {"what": one.gain.what, "factor": one.gain.factor, "how": one.gain.how},
                "no_gain": one.no_gain if one.gain is None else "",
            }
            for rule, one in verdict.findings
        ],
        "silent": [{"rule": one.rule.name, "looks_for": one.rule.doc, "reason": one.reason} for one in verdict.silent],
    }  # fmt: skip


def written(fact: Fact) -> str:
    """A fact for people."""
    if fact.unit == "share":
        return f"{fact.name}: {percent(fact.value)}"
    if fact.unit == "ns":
        return f"{fact.name}: {duration(fact.value)}"
    if fact.unit in ("FLOP/s", "bytes/s"):
        return f"{fact.name}: {fact.value / 1e9:.3g} G{fact.unit}"
    return f"{fact.name}: {fact.value:.4g} {fact.unit}".rstrip()
