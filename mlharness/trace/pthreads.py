"""Which of the operating system's threads a pthread handle means: profilers that know only the handle tell it alone."""

from __future__ import annotations

import ctypes
import os
import platform
import threading
from pathlib import Path

_GET_ROBUST_LIST = {"x86_64": 274, "aarch64": 100}
"""The system call's number, by machine. It gives an address in the block to which a thread's pthread handle points."""


def native_ids() -> dict[int, int]:
    """The operating system's id of each living thread of this process, by its pthread handle.

    The C library keeps a thread's robust list at one place in the block of every thread; the distance is measured on
    the calling thread, and held against all threads of Python. Where that does not hold (another C library, or a
    sandbox without the call), the threads of Python alone are known.
    """
    ours = {thread.ident: thread.native_id for thread in threading.enumerate()}
    known = {ident: native for ident, native in ours.items() if ident is not None and native is not None}
    known[threading.get_ident()] = threading.get_native_id()
    found = _by_robust_lists(known[threading.get_ident()], threading.get_ident())
    agree = all(found.get(ident, native) == native for ident, native in known.items())
    return {**found, **known} if agree else known


def _by_robust_lists(native: int, ident: int) -> dict[int, int]:
    """Threads by handle; ``native`` and ``ident`` are the calling thread's."""
    own = _robust_list(native)
    if not own:
        return {}
    lists = {int(entry.name): _robust_list(int(entry.name)) for entry in os.scandir("/proc/self/task")}
    return {head - (own - ident): thread for thread, head in lists.items() if head}


def _robust_list(native: int) -> int:
    """The address of a thread's robust list; 0 when it cannot be asked for, or the thread has ended."""
    number = _GET_ROBUST_LIST.get(platform.machine())
    if number is None or not Path("/proc/self/task").is_dir():
        return 0
    head, size = ctypes.c_void_p(), ctypes.c_size_t()
    failed = ctypes.CDLL(None).syscall(number, native, ctypes.byref(head), ctypes.byref(size))
    return 0 if failed else head.value or 0
