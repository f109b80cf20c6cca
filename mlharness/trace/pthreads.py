"""Which of the operating system's threads a pthread handle means, or its hash: some profilers tell nothing else."""

from __future__ import annotations

import ctypes
import os
import platform
import threading
from pathlib import Path

_GET_ROBUST_LIST = {"x86_64": 274, "aarch64": 100}
"""The system call's number, by machine. It gives an address in the block to which a thread's pthread handle points."""
_SEED, _MULTIPLIER, _64 = 0xC70F6907, 0xC6A4A7935BD1E995, (1 << 64) - 1


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


def native_ids_by_hash() -> dict[int, int]:
    """As :func:`native_ids`, by what C++ makes of the handles; see :func:`hash_of`."""
    return {hash_of(handle): native for handle, native in native_ids().items()}


def hash_of(handle: int) -> int:
    """What ``std::hash<std::thread::id>`` of GNU's C++ library gives for a pthread handle: MurmurHash64A of 8 bytes."""
    mixed = handle * _MULTIPLIER & _64
    mixed = (mixed ^ mixed >> 47) * _MULTIPLIER & _64
    result = (_SEED ^ 8 * _MULTIPLIER & _64) ^ mixed
    for _ in range(2):
        result = result * _MULTIPLIER & _64
        result ^= result >> 47
    return result


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
