"""Names of kernels as a programmer wrote them."""

from __future__ import annotations

import ctypes
from functools import lru_cache


@lru_cache(maxsize=4096)
def demangle(name: str) -> str:
    """A C++ name in readable form; the name itself where it is none, or where there is no C++ library."""
    if not name.startswith("_Z"):
        return name
    function = _demangler()
    if function is None:
        return name
    status = ctypes.c_int()
    found = function(name.encode(), None, None, ctypes.byref(status))
    if not found:
        return name
    text = ctypes.string_at(found).decode(errors="replace")
    ctypes.CDLL(None).free(ctypes.c_void_p(found))
    return text


@lru_cache(maxsize=1)
def _demangler() -> ctypes._NamedFuncPointer | None:
    """The C++ library's own, which CUPTI needs as well."""
    try:
        function = ctypes.CDLL("libstdc++.so.6").__cxa_demangle
    except (OSError, AttributeError):
        return None
    function.restype = ctypes.c_void_p
    return function
