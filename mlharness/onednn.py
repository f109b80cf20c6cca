"""oneDNN's own setting that a framework which computes with it offers as an option: the newest instructions it may use.

One machine so becomes several systems, and a trace shows what the newer instructions bring each layer.
"""

from __future__ import annotations

import os
import threading

from mlharness.errors import UserError
from mlharness.providers import Option

VARIABLE = "ONEDNN_MAX_CPU_ISA"
"""What oneDNN reads when it first computes in a process."""
INSTRUCTION_SETS = (
    "sse41", "avx", "avx2", "avx2_vnni", "avx2_vnni_2", "avx512_core", "avx512_core_vnni", "avx512_core_bf16",
    "avx512_core_fp16", "avx512_core_amx", "avx512_core_amx_fp16", "avx10_1_512", "avx10_1_512_amx",
)  # fmt: skip
MAX_CPU_ISA = Option(
    "max_cpu_isa",
    "string",
    f"The newest instruction set that oneDNN may use, as its {VARIABLE} has it; by default whatever the processor has.",
    choices=INSTRUCTION_SETS,
)
_LOCK = threading.Lock()


def limit_instructions(wanted: str | None) -> None:
    """Set the newest instruction set for this process, before the framework computes for the first time.

    None leaves it to oneDNN, and to who set the variable. Raises UserError when an earlier model of this process was
    loaded with another.
    """
    if wanted is None:
        return
    with _LOCK:
        if _limits and _limits != [wanted]:
            raise UserError(
                f"oneDNN takes max_cpu_isa once per process: it is {_limits[0]!r}, and not {wanted!r}",
                "Give every model of one process the same instruction set.",
            )
        _limits[:] = [wanted]
        os.environ[VARIABLE] = wanted.upper()


_limits: list[str] = []
"""Empty, or what this process has: oneDNN keeps it, and tells nobody."""
