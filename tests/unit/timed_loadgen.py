"""A LoadGen test with a system that takes a fixed time, in a process of its own: logs with a wanted verdict."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mlharness.diagnosis import MIN_QUERIES, TARGET_LATENCY, TARGET_QPS, Diagnosis
from mlharness.loadgen_log import LoadGenLog, read_log

_PROGRAM = """
import json, queue, sys, threading, time
import mlperf_loadgen as lg

directory, scenario, system, changes = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), json.loads(sys.argv[4])
settings = lg.TestSettings()
settings.scenario, settings.mode = getattr(lg.TestScenario, scenario), lg.TestMode.PerformanceOnly
for name, value in changes.items():
    setattr(settings, name, value)
log = lg.LogSettings()
log.log_output.outdir, log.log_output.copy_summary_to_stdout, log.enable_trace = directory, False, False

def complete(ids):
    lg.QuerySamplesComplete([lg.QuerySampleResponse(id, 0, 0) for id in ids])

def stream(ids, indices):
    time.sleep(system["service_s"] * (len(ids) if scenario == "Offline" else 1))
    complete(ids)

def serve(waiting):
    while (entry := waiting.get()) is not None:
        due, service_s, id = entry
        time.sleep(max(0.0, due - time.perf_counter()) + service_s)
        complete([id])

soon, late = queue.SimpleQueue(), queue.SimpleQueue()
issued = 0

def server(ids, indices):
    global issued
    for id in ids:
        issued += 1
        if system["late_every"] and issued % system["late_every"] == 0:
            late.put((time.perf_counter() + system["late_s"], 0.0, id))
        elif system["service_s"]:
            soon.put((0.0, system["service_s"], id))
        else:
            complete([id])

threads = [threading.Thread(target=serve, args=(waiting,)) for waiting in (soon, late)]
for thread in threads:
    thread.start()
sut = lg.ConstructFastSUT(server if scenario == "Server" else stream, lambda: None)
qsl = lg.ConstructQSL(8, 8, lambda samples: None, lambda samples: None)
lg.StartTestWithLogSettings(sut, qsl, settings, log, directory + "/none")
for waiting in (soon, late):
    waiting.put(None)
for thread in threads:
    thread.join()
lg.DestroyQSL(qsl)
lg.DestroySUT(sut)
"""


@dataclass(frozen=True)
class System:
    """A system that takes ``service_s`` a query (Offline: a sample), one after the other.

    In Server every ``late_every``-th query (0: none) takes ``late_s``, beside the others.
    """

    service_s: float = 0.0
    late_every: int = 0
    late_s: float = 0.0


@dataclass(frozen=True)
class TimedTest:
    """A system and LoadGen's settings for it."""

    scenario: str
    system: System
    settings: dict[str, Any]

    def run(self, directory: Path) -> LoadGenLog:
        """Run it and read LoadGen's log."""
        directory.mkdir(parents=True)
        told = json.dumps({"min_duration_ms": 0, "min_query_count": 1, **self.settings})
        system = json.dumps(asdict(self.system))
        command = [sys.executable, "-c", _PROGRAM, str(directory), self.scenario, system, told]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        return read_log(directory)

    def following(self, advice: Diagnosis) -> TimedTest:
        """The same test with the one setting changed, as ``mlh bench`` or a user.conf would."""
        changes: dict[str, dict[str, Any]] = {
            MIN_QUERIES: {"min_query_count": int(advice.value)},
            TARGET_QPS: {"server_target_qps": advice.value, "offline_expected_qps": advice.value},
            TARGET_LATENCY: {"server_target_latency_ns": round(advice.value * 1e6)},
            "max_query_count": {"max_query_count": int(advice.value)},
            "max_duration": {"max_duration_ms": int(advice.value)},
            "max_async_queries": {"server_max_async_queries": int(advice.value)},
            "performance_issue_unique": {"performance_issue_unique": bool(advice.value)},
        }
        return TimedTest(self.scenario, self.system, {**self.settings, **changes[advice.setting]})
