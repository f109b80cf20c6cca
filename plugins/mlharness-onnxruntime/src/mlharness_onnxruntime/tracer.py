"""The tracer of ONNX Runtime: every session of a traced run keeps a profile, which is read when the session closes.

ONNX Runtime decides at a session's creation whether it keeps one, holds its events in memory (about 2.3 KB each), and
writes them when it is told to end, or when the session goes.
"""

from __future__ import annotations

from itertools import count
from pathlib import Path
from time import monotonic_ns, time_ns
from typing import Any

from mlharness.trace.spans import Spans
from mlharness_onnxruntime.nodenames import NodeNames, read_names
from mlharness_onnxruntime.profile import read_profile

NAME = "onnxruntime-profile"
STEP_NS = 1_000_000
"""The wall clock was set when it went by so much more, or less, than the monotonic one."""


class ProfileTracer:
    """Knows when LoadGen's test began and ended, and gives each session the place of its profile.

    Args:
        folder: where the profiles are written. Each is removed once it has been read as a whole.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count()
        self._faults: list[str] = []
        self._began = 0
        self.window: tuple[int, int] | None = None
        """Begin and end of the test in wall-clock nanoseconds; None before it."""

    def start(self) -> None:
        """Nothing: the sessions ask for their profiles when they are opened."""

    def begin(self) -> None:
        """What ran before was warm-up."""
        self.window, self._began = (time_ns(), 1 << 62), monotonic_ns()

    def end(self) -> None:
        """What runs from now on is no longer the test."""
        if not self.window:
            return
        begin, now, lasted = self.window[0], time_ns(), monotonic_ns() - self._began
        step = now - begin - lasted
        self.window = (begin + min(0, step), max(now, begin + lasted)) if abs(step) > STEP_NS else (begin, now)
        if abs(step) > STEP_NS:
            self.fault(f"the wall clock was set by {step / 1e6:.0f} ms, so that some nodes are not where they ran")

    def collect(self) -> tuple[()]:
        """Nothing: the predictors gave their spans when they were closed. Raises ValueError for a profile's fault."""
        if self._faults:
            raise ValueError("; ".join(self._faults))
        return ()

    def profile(self) -> SessionProfile:
        """The profile of a new session."""
        return SessionProfile(self, self._folder / f"session-{next(self._numbers)}")

    def fault(self, what: str) -> None:
        """Something about a profile is wrong; the run goes on."""
        self._faults.append(what)


class SessionProfile:
    """The profile of one session, on the session's thread.

    ONNX Runtime adds but milliseconds to ``prefix``, so that two sessions must not share one.
    """

    def __init__(self, tracer: ProfileTracer, path: Path) -> None:
        self._tracer = tracer
        self.prefix = str(path)
        self._names = NodeNames(())

    def learn_names(self, model: Path) -> None:
        """Read what the file calls its nodes."""
        self._names = read_names(model)

    def finish(self, session: Any) -> list[Spans]:
        """End the profile and read it; a fault of it is the tracer's to tell, and what was read is kept."""
        base_ns = session.get_profiling_start_time_ns()
        path = Path(session.end_profiling())
        spans = Spans(NAME, "wall")
        window = self._tracer.window
        try:
            if window:
                read_profile(path, base_ns, window, self._names, spans)
            path.unlink()
        except (OSError, ValueError) as error:
            self._tracer.fault(f"a profile cannot be read: {error}")
        return [spans] if window else []
