"""Where the time goes, in one bar: a query's latency (Offline: the workers' time), down to the types of layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

from mlharness.analysis.traced import Traced
from mlharness.explaining.evidence import Evidence
from mlharness.explaining.rules.rule import percent
from mlharness.explaining.shares import HARNESS, IDLE, POSTPROCESS, PREDICT, QUEUE, Shares, shares_of
from mlharness.reporting.trace import hues
from mlharness.reporting.trace.facts import cut
from mlharness.trace.levels import FRAMEWORK

LEAST = 0.001
"""Parts of a smaller share are not told."""
OUTSIDE = "predict outside layers"
_PARTS = ((QUEUE, "waiting for a worker", hues.WAIT), (HARNESS, "harness", hues.HARNESS),
          (POSTPROCESS, "postprocess", hues.POSTPROCESS), (IDLE, "between batches", hues.OTHER))  # fmt: skip


@dataclass(frozen=True)
class Piece:
    """A part of the bar: its share, a part of 1, and the number of its colour.

    ``of_model`` stands in the call of the model; ``layers`` are so many layers of one type.
    """

    name: str
    share: float
    hue: int
    of_model: bool = False
    layers: int = 0


@dataclass(frozen=True)
class Bar:
    """Its pieces, those of the model side by side. ``of`` says of what they are shares, and ``mean_ns`` how long that
    is; both of the run that was traced least. ``predict`` is the model's share."""

    of: str
    mean_ns: float
    pieces: tuple[Piece, ...]
    predict: float
    layers_missing: str

    @property
    def headline(self) -> str:
        """What takes the most, in a sentence."""
        model = f"{percent(self.predict)} of {self.of} is spent in the model"
        most = max(self.pieces, key=lambda piece: piece.share)
        if most.layers:
            return f"{model}, {percent(most.share / self.predict)} of that in {most.name}."
        if most.name == OUTSIDE:
            return f"{model}, {percent(most.share / self.predict)} of that in none of its layers."
        return f"{model}." if most.of_model else f"{model}, {percent(most.share)} goes into {most.name}."

    @property
    def words(self) -> str:
        """The bar for those who do not see it."""
        return "; ".join(f"{piece.name} {percent(piece.share)}" for piece in self.pieces)

    @property
    def before(self) -> float:
        """The share of what is drawn before the model."""
        return sum(piece.share for piece in takewhile(lambda piece: not piece.of_model, self.pieces))

    @property
    def model(self) -> float:
        """The share of the model's pieces."""
        return sum(piece.share for piece in self.pieces if piece.of_model)

    @property
    def after(self) -> float:
        """The share of what is drawn after it."""
        return sum(piece.share for piece in self.pieces) - self.before - self.model


def bar_of(evidence: Evidence, traced: Traced, colours: hues.Hues) -> Bar | None:
    """The bar of a traced run; None without the levels ``application`` and ``model``,
    or where nothing took any time."""
    shares = shares_of(evidence)
    if shares is None:
        return None
    after = _rest(shares, (HARNESS, POSTPROCESS, IDLE))
    pieces = [*_rest(shares, (QUEUE,)), *_predict(shares, traced, colours), *after]
    shown = tuple(piece for piece in pieces if piece.share >= LEAST)
    if not shown:
        return None
    return Bar(shares.of, shares.mean_ns, shown, shares[PREDICT], traced.missing.get("layers", ""))


def _rest(shares: Shares, names: tuple[str, ...]) -> Iterator[Piece]:
    for name, label, hue in _PARTS:
        if name in names:
            yield Piece(label, shares[name], hue)


def _predict(shares: Shares, traced: Traced, colours: hues.Hues) -> Iterator[Piece]:
    """The call of the model, by the types of its layers where these are known."""
    predict = shares[PREDICT]
    covered = min(1.0, traced.layers_share or 0.0)
    counts = Counter(layer.kind for layer in traced.layers)
    times: dict[str, float] = dict.fromkeys(counts, 0.0)
    for layer in traced.layers:
        times[layer.kind] += layer.latency_ns
    whole = sum(times.values())
    if not whole:
        yield Piece("predict", predict, hues.PREDICT, of_model=True)
        return
    other = 0.0
    for kind, ns in sorted(times.items(), key=lambda one: -one[1]):
        hue, share = colours.of(FRAMEWORK, kind), predict * covered * ns / whole
        if hue == hues.OTHER:
            other += share
        else:
            yield Piece(cut(kind, 60) or "no type", share, hue, True, counts[kind])
    yield Piece("other layers", other, hues.OTHER, of_model=True)
    yield Piece(OUTSIDE, predict * (1 - covered), hues.PREDICT, of_model=True)
