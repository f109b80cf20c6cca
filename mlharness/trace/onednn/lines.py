"""oneDNN's verbose lines, of the versions 2 and 3: what was computed, by which implementation, when, and how long.

A line tells its fields by their places, and a header line names the places. What does not have them all is counted
and never guessed: a line that was cut off, two that were printed into each other, one without a time.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from mlharness.trace.onednn.work import Argument, estimate

PREFIXES = (b"onednn_verbose,", b"dnnl_verbose,", b"mkldnn_verbose,")
"""How the lines begin, newest version first."""
FIELDS: tuple[str, ...] = (
    "operation", "engine", "primitive", "implementation", "prop_kind", "memory_descriptors", "attributes", "auxiliary",
    "problem_desc", "exec_time",
)  # fmt: skip
"""The places, where no header line was seen: it is printed once in a process."""

_HEADER = re.compile(rb"template:([a-z_,]+)\n")
_LINE = re.compile(
    rb"(?:onednn|dnnl|mkldnn)_verbose,(?:v\d+,)?(?:(\d+)(?:\.(\d+))?,)?((?:primitive,)?exec,.*)"
    rb",(\d+(?:\.\d+)?(?:e[+-]?\d+)?)\n"
)
_OTHER = re.compile(
    rb"(?:onednn|dnnl|mkldnn)_verbose,(?:v\d+,)?(?:\d+(?:\.\d+)?,)?(?:primitive,)?"
    rb"(?:info|create|error|warn|common|graph|ukernel|gemm)[,:_].*\n"
)
"""Of any other kind: about the library, what was made, or the execution of a whole graph."""
_VERBOSE = b"_verbose,"
_MEMORY = re.compile(r"([a-z_]+?\d*)[_:](undef|boolean|e8m0|[fbsu]+\d+(?:_e\dm\d)?):[^:]*:([^:]*):([^:]*)")
_POST_OPS = re.compile(r"attr-post-ops:(\S+)")


@dataclass(frozen=True)
class Primitive:
    """What a line tells of a primitive apart from its times; ``attributes`` is a JSON object."""

    kind: str
    implementation: str
    attributes: str


Executed = tuple[Primitive, int, int]
"""One execution: of what, when it began on the wall clock, and how long it took, in nanoseconds."""


class Lines:
    """Understands one line after the other, and counts those that it does not."""

    def __init__(self) -> None:
        self.untimed = 0
        """Executions without the time at which they began."""
        self.unread = 0
        """Lines that are not whole."""
        self._fields = FIELDS
        self._known: dict[bytes, Primitive | None] = {}

    def read(self, line: bytes) -> Executed | None:
        """The execution that a line tells of; None for any other line. ``line`` ends with a newline, if it is whole."""
        found = _LINE.fullmatch(line)
        if found is None:
            self._other(line)
            return None
        whole, fraction, told, took = found.groups()
        if whole is None:
            self.untimed += 1
            return None
        try:
            primitive = self._known[told]
        except KeyError:
            primitive = self._known[told] = self._primitive(told)
        if primitive is None:
            self.unread += 1
            return None
        # milliseconds; exactly, since a float of this size has steps of a quarter of a microsecond
        start = int(whole) * 1_000_000 + (int((fraction + b"00000")[:6]) if fraction else 0)
        return primitive, start, int(float(took) * 1e6)

    def note(self, line: bytes) -> bool:
        """Learn the places from a header line; False for any other."""
        header = _HEADER.search(line)
        if header is None:
            return False
        if b"partition" not in line:  # the other header is of whole graphs
            self._fields = tuple(field for field in header[1].decode().split(",") if field != "timestamp")
        return True

    def _other(self, line: bytes) -> None:
        """A header, a line about what was made or checked, or a broken one."""
        if not self.note(line):
            self.unread += line.count(_VERBOSE) != 1 or not _OTHER.fullmatch(line)

    def _primitive(self, told: bytes) -> Primitive | None:
        """The fields between the two times; None when some are missing, or there are more than the header names."""
        if _VERBOSE in told:
            return None
        values = told.decode(errors="replace").removeprefix("primitive,").split(",")
        if len(values) != len(self._fields) - 1:
            return None
        fields = dict(zip(self._fields, values, strict=False))
        kind = fields.get("primitive", "")
        if not kind:
            return None
        # The old call for products of matrices, gemm_api, which TensorFlow still makes, names no implementation.
        return Primitive(
            kind, fields.get("implementation") or kind, json.dumps(_attributes(fields), separators=(",", ":"))
        )


def _attributes(fields: dict[str, str]) -> dict[str, object]:
    arguments, formats = _arguments(fields.get("memory_descriptors", ""))
    problem = fields.get("problem_desc", "")
    facts: dict[str, object] = {"shape": problem, "formats": formats}
    if fields.get("auxiliary"):
        facts["algorithm"] = fields["auxiliary"].removeprefix("alg:")
    if fused := _POST_OPS.search(fields.get("attributes", "")):
        facts["fused"] = fused[1]
    if fields.get("engine", "cpu") != "cpu":
        facts["engine"] = fields["engine"]
    if fields.get("prop_kind", "undef").startswith(("forward", "undef")):
        work = estimate(fields["primitive"], problem, arguments)
        if work is not None:
            facts |= {"flops": work.flops, "bytes": work.bytes, "estimated": True}
    return facts


def _arguments(descriptors: str) -> tuple[list[Argument], str]:
    """The tensors that are there with their types, and how they lie in memory: ``src:f32:acdb dst:f32:aBcd16b``."""
    arguments, formats = [], []
    for text in descriptors.split():
        found = _MEMORY.match(text)
        if found is None or found[2] == "undef":
            continue
        arguments.append(Argument(found[1], found[2]))
        formats.append(f"{found[1]}:{found[2]}:{found[4] or found[3]}")
    return arguments, " ".join(formats)
