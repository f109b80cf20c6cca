"""Refuses perf events to this process for good, as the filter of a container does; see seccomp(2)."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

from mlharness.trace.linux.perf_events import _NUMBERS

_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def refuse_perf_events() -> None:
    """From now on perf_event_open answers EPERM. Raises OSError where the kernel knows no filters."""
    steps = [
        (_LOAD, 0, 0, 0),  # the call's number
        (_EQUAL, 0, 1, _NUMBERS[platform.machine()]),
        (_RETURN, 0, 0, _ERRNO | errno.EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]
    program = _Program(len(steps), b"".join(struct.pack("=HBBI", *step) for step in steps))
    control = ctypes.CDLL(None, use_errno=True).prctl
    for arguments in ((_NO_NEW_PRIVILEGES, 1, 0, 0, 0), (_SET_SECCOMP, _FILTER, ctypes.byref(program), 0, 0)):
        if control(*arguments):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
