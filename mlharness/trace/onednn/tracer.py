"""The tracer that plugins of frameworks with oneDNN register."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType

from mlharness.providers import TraceRequest
from mlharness.trace.levels import LIBRARY
from mlharness.trace.onednn.capture import Capture
from mlharness.trace.onednn.lines import PREFIXES, Lines
from mlharness.trace.spans import Spans

VERBOSE: Mapping[str, str] = MappingProxyType({"ONEDNN_VERBOSE": "1", "ONEDNN_VERBOSE_TIMESTAMP": "1"})
"""The environment that oneDNN 3 reads when it computes its first primitive."""
TWO: Mapping[str, str] = MappingProxyType(
    {"DNNL_VERBOSE": "1", "DNNL_VERBOSE_TIMESTAMP": "1", "MKLDNN_VERBOSE": "1", "MKLDNN_VERBOSE_TIMESTAMP": "1"}
)
"""As :data:`VERBOSE`, of oneDNN 1 and 2."""
MOST_BYTES = 128 << 20
"""Of lines that are kept: 600,000 primitives."""
FILE = "onednn.log"
_SLACK_NS = 1_000_000_000
"""A time that lies further from the test is no time."""


class OneDnnTracer:
    """Primitives of oneDNN during LoadGen's test, as spans of the level ``library`` on the wall clock.

    Their ``kind`` is that of the primitive, their ``name`` its implementation; attributes are ``shape``, ``formats``,
    ``algorithm``, ``fused`` and, of the common kinds, ``flops`` and ``bytes`` with ``estimated``. oneDNN does not tell
    the thread. Not for two tracers in one process: standard output can go into one file only.

    Args:
        request: what the tracer was opened with.
        source: the tracer's name, such as ``torch-onednn``.
        environment: variables that are set before anything is loaded.
        switch_on: makes oneDNN verbose right before the test; None where it only reads the environment, at its first
            primitive, and stays verbose.
        switch_off: makes it silent after the test.
        most_bytes: of lines that are kept; later ones are counted.
    """

    def __init__(
        self,
        request: TraceRequest,
        source: str,
        *,
        environment: Mapping[str, str] = VERBOSE,
        switch_on: Callable[[], object] | None = None,
        switch_off: Callable[[], object] | None = None,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._source, self._environment = source, environment
        self._on, self._off = switch_on, switch_off
        self._capture = Capture(request.folder / FILE, most_bytes, PREFIXES)
        self._before: dict[str, str | None] = {}
        self._test = [0, 0]
        self._times = [0, 0]

    def start(self) -> None:
        """Set the environment. Without a switch everything from here on may be printed, and is captured."""
        for name, value in self._environment.items():
            self._before[name] = os.environ.get(name)
            os.environ[name] = value
        if self._on is None:
            self._capture.start()

    def begin(self) -> None:
        """Capture, and switch on."""
        self._capture.start()
        self._test[0] = self._capture.mark()
        self._times[0] = time.time_ns()
        if self._on is not None:
            try:
                self._on()
            except BaseException:
                self._capture.stop()
                raise

    def end(self) -> None:
        """Switch off; what is still captured is of no test."""
        try:
            if self._off is not None:
                self._off()
        finally:
            self._times[1] = time.time_ns()
            self._test[1] = self._capture.path.stat().st_size
            if self._on is not None:
                self._capture.stop()

    def collect(self) -> Spans:
        """The primitives; what else was printed goes to standard output. The file is kept where it is not understood.

        There are none where no test came.

        Raises:
            OSError: the file is not there.
        """
        self._capture.stop()
        self._restore_environment()
        spans, lines = Spans(self._source, clock="wall"), Lines()
        if not self._times[1]:
            return spans
        strange = self._read(spans, lines)
        spans.dropped = self._capture.dropped + lines.unread + lines.untimed + strange
        spans.notes += _notes(self._capture, lines, strange)
        if not spans.dropped:
            with suppress(OSError):  # a folder that became read-only spoils nothing
                self._capture.path.unlink()
        self._times = [0, 0]  # they were given
        return spans

    def _read(self, spans: Spans, lines: Lines) -> int:
        """Add the spans; returns how many have a time that cannot be theirs."""
        (begin, end), place, strange = self._test, 0, 0
        earliest, latest = self._times[0] - _SLACK_NS, self._times[1] + _SLACK_NS
        add, read = spans.add, lines.read
        for line in self._capture.lines():
            inside = begin <= place < end
            place += len(line)
            if not line.startswith(PREFIXES):
                lines.unread += _pass_on(line) and inside
            elif not inside:
                lines.note(line)
            elif (executed := read(line)) is not None:
                primitive, start, duration = executed
                if earliest <= start <= latest:
                    add(LIBRARY, primitive.implementation, start, duration, kind=primitive.kind,
                        attributes=primitive.attributes)  # fmt: skip
                else:
                    strange += 1
        return strange

    def _restore_environment(self) -> None:
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._before.clear()


def unavailable(framework: str, has_onednn: bool, device: str = "cpu") -> str:
    """Why a framework shows no primitives of oneDNN; empty when it does."""
    if not has_onednn:
        return f"this build of {framework} has no oneDNN"
    if device != "cpu":
        return f"oneDNN computes on the CPU, and this run is on {device}"
    return ""


def _pass_on(line: bytes) -> bool:
    """Print what is not oneDNN's of a line that begins otherwise; True when oneDNN printed into it."""
    places = [place for prefix in PREFIXES if (place := line.find(prefix)) > 0]
    os.write(1, line[: min(places)] if places else line)
    return bool(places)


def _notes(capture: Capture, lines: Lines, strange: int) -> list[str]:
    counts = (
        (capture.dropped, f"primitives came after {capture.most_bytes >> 20} MB of lines, and were not kept"),
        (lines.unread, "lines of oneDNN were not whole"),
        (lines.untimed, "primitives had no time: this oneDNN does not tell it"),
        (strange, "primitives had a time outside the test"),
    )
    return [f"{count} {text}" for count, text in counts if count]
