"""What a check found: what does not hold, and what nobody could check."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Finding:
    """Something that does not hold: where (a member, or a key of the result), and what was found."""

    where: str
    what: str


@dataclass
class Checks:
    """All of it. ``recomputed`` are keys of the result that follow from the logs, ``stated`` those that nobody checked,
    with the reason."""

    findings: list[Finding] = field(default_factory=list)
    recomputed: list[str] = field(default_factory=list)
    stated: dict[str, str] = field(default_factory=dict)

    def note(self, where: str, what: str) -> None:
        """One more that does not hold."""
        self.findings.append(Finding(where, what))

    @property
    def hold(self) -> bool:
        """True when nothing was found."""
        return not self.findings
