"""Opens performance events by the system call itself, see perf_event_open(2): rings of records, and counters.

Only what user space may have without privileges is asked for (``exclude_kernel``), which also tells of switches.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import platform
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from mlharness.system import virtualised

_NUMBERS = {"x86_64": 298, "aarch64": 241, "riscv64": 241, "ppc64le": 319, "s390x": 331}
"""The system call's number for each machine, from the kernel's tables."""
_ATTRIBUTES = struct.Struct("=IIQQQQQIIQQQQIi")
"""``struct perf_event_attr`` up to ``clockid``, which Linux has had since 4.1."""
_CLOSE_ON_EXEC = 8
_ENABLE, _DISABLE, _SET_OUTPUT = 0x2400, 0x2401, 0x2405

HARDWARE, SOFTWARE = 0, 1
"""Types of events."""
DUMMY = 9
"""A software event that counts nothing: it only carries records of what else happens."""
SAMPLE_ID = 1 << 1 | 1 << 2 | 1 << 7
"""Each record ends with process and thread, time, and CPU."""
_TIMES = 0b11
"""A counter is read together with how long it was enabled, and how long it really counted."""

# Bits of the attributes.
_DISABLED, _INHERIT, _EXCLUDE_KERNEL, _EXCLUDE_HV = 1 << 0, 1 << 1, 1 << 5, 1 << 6
_COMM, _TASK, _SAMPLE_ID_ALL, _USE_CLOCK, _SWITCHES = 1 << 9, 1 << 13, 1 << 18, 1 << 25, 1 << 26
_HUMBLE = _DISABLED | _INHERIT | _EXCLUDE_KERNEL | _EXCLUDE_HV

RING_BYTES = 1 << 18
"""8192 switches of one CPU between two readings. More than 512 KiB a CPU needs a privilege."""
LEAST_RING_BYTES = 1 << 14
ALLOWED_PARANOIA = 2
"""Up to here the kernel itself lets users watch their own processes, in user space."""
_HEAD, _TAIL = 1024, 1032
"""Where in a ring's first page the kernel says how far it wrote, and we say how far we read."""


def open_event(kind: int, config: int, flags: int, sample_type: int, thread: int, cpu: int) -> int:
    """Open one event of a thread (0: the calling one) and of all threads that it will start; returns its descriptor.

    Raises:
        OSError: the kernel refuses; :func:`why_not` says it in words.
    """
    number = _NUMBERS.get(platform.machine())
    if number is None:
        raise OSError(errno.ENOSYS, "the number of perf_event_open is not known for this machine")
    attributes = _ATTRIBUTES.pack(
        kind, _ATTRIBUTES.size, config, 0, sample_type, _TIMES if not sample_type else 0, flags | _HUMBLE,
        0, 0, 0, 0, 0, 0, 0, time.CLOCK_MONOTONIC if flags & _USE_CLOCK else 0,
    )  # fmt: skip
    call = ctypes.CDLL(None, use_errno=True).syscall
    call.restype = ctypes.c_long
    call.argtypes = [ctypes.c_long, ctypes.c_char_p, *[ctypes.c_long] * 3, ctypes.c_ulong]
    descriptor = int(call(number, attributes, thread, cpu, -1, _CLOSE_ON_EXEC))
    if descriptor < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return descriptor


def why_not(error: OSError) -> str:
    """Why the kernel gives no events, in a short sentence."""
    if error.errno in (errno.EACCES, errno.EPERM):
        known = paranoia()
        filtered = known.lstrip("-").isdigit() and int(known) <= ALLOWED_PARANOIA
        why = "a container's filter refuses them" if filtered else f"kernel.perf_event_paranoid is {known}"
        return f"perf events are not allowed here: {why}"
    if error.errno == errno.ENOSYS:
        return "this kernel has no perf events"
    if error.errno in (errno.ENOENT, errno.EOPNOTSUPP, errno.ENODEV):
        where = "in this virtual machine" if virtualised() else "of this processor are known to the kernel"
        return f"no performance counters {where}"
    return f"perf events cannot be opened: {error.strerror}"


def paranoia(path: Path = Path("/proc/sys/kernel/perf_event_paranoid")) -> str:
    """How much the kernel keeps from users without privileges; ``unknown`` where it does not say."""
    try:
        return path.read_text().strip()
    except OSError:
        return "unknown"


class SwitchRing:
    """The records of all switches on one CPU of a thread and of those that it will start, until :meth:`close`."""

    def __init__(self, cpu: int, ring_bytes: int = RING_BYTES) -> None:
        self.cpu = cpu
        self._descriptors = [_open_switches(0, cpu)]
        try:
            self._map = _mapped(self._descriptors[0], ring_bytes)
        except OSError:
            self.close()
            raise
        self._size = len(self._map) - mmap.PAGESIZE

    def follow(self, thread: int) -> None:
        """Also record a thread that is there already, and those that it will start. Raises OSError."""
        descriptor = _open_switches(thread, self.cpu)
        self._descriptors.append(descriptor)
        fcntl.ioctl(descriptor, _SET_OUTPUT, self._descriptors[0])

    def enable(self) -> None:
        """Record from now on."""
        for descriptor in self._descriptors:
            fcntl.ioctl(descriptor, _ENABLE, 0)

    def disable(self) -> None:
        """Record no more."""
        for descriptor in self._descriptors:
            fcntl.ioctl(descriptor, _DISABLE, 0)

    def drain(self) -> bytes:
        """All records since the last call, whole."""
        head, tail = struct.unpack_from("=QQ", self._map, _HEAD)
        start, end = tail % self._size, tail % self._size + head - tail
        data, first = self._map, mmap.PAGESIZE
        found = data[first + start : first + min(end, self._size)]
        if end > self._size:
            found += data[first : first + end - self._size]
        struct.pack_into("=Q", self._map, _TAIL, head)
        return found

    def close(self) -> None:
        """Let go of the ring."""
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors = []
        if hasattr(self, "_map"):
            self._map.close()


def _open_switches(thread: int, cpu: int) -> int:
    flags = _SWITCHES | _COMM | _TASK | _SAMPLE_ID_ALL | _USE_CLOCK
    return open_event(SOFTWARE, DUMMY, flags, SAMPLE_ID, thread, cpu)


def _mapped(descriptor: int, ring_bytes: int) -> mmap.mmap:
    """The ring, of half the size as often as the kernel refuses: users may lock only so much memory."""
    while True:
        try:
            return mmap.mmap(descriptor, mmap.PAGESIZE + ring_bytes)
        except OSError:
            ring_bytes //= 2
            if ring_bytes < LEAST_RING_BYTES:
                raise


@dataclass(frozen=True)
class Count:
    """A counter's value, scaled up where it shared its place in the processor with others."""

    value: float
    scaled: bool


class Counter:
    """One counter of the calling thread and of all threads that it will start."""

    def __init__(self, kind: int, config: int) -> None:
        self._descriptor = open_event(kind, config, 0, 0, 0, -1)

    def enable(self) -> None:
        """Count from now on."""
        fcntl.ioctl(self._descriptor, _ENABLE, 0)

    def read(self) -> Count:
        """What was counted since :meth:`enable`."""
        value, enabled, counted = struct.unpack("=QQQ", os.read(self._descriptor, 24))
        return Count(value * enabled / counted if counted else 0.0, counted < enabled)

    def close(self) -> None:
        """Let go of it."""
        os.close(self._descriptor)
