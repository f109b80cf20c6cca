"""The null framework through the whole path: what mlharness could carry if models cost nothing."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.measure import Row, median, mlh_bench, spread

SERVER_QPS = 80_000


def rows(root: Path, repeat: int) -> list[Row]:
    """Server at :data:`SERVER_QPS`, SingleStream's median latency, Offline's rate; runs of each, interleaved."""
    server, valid, single, offline = [], [], [], []
    for _ in range(repeat):
        result, _ = mlh_bench(root, "null", "--scenario", "Server", "--target-qps", str(SERVER_QPS))
        server.append(result["latency_ns"]["p99"] / 1e6)
        valid.append(result["status"] == "valid")
        single.append(mlh_bench(root, "null", "--duration", "5")[0]["latency_ns"]["p50"] / 1e3)
        offline.append(mlh_bench(root, "null", "--scenario", "Offline", "--duration", "5")[0]["metric"]["value"] / 1e6)
    return [
        Row(
            f"null, Server at {SERVER_QPS:,} QPS: p99, ms",
            "VALID, under 10",
            f"{spread(server)}; {sum(valid)} of {repeat} VALID",
            all(valid) and median(server) < 10,
        ),
        Row("null, SingleStream: p50, us", "5 or less", spread(single), median(single) <= 5),
        Row("null, Offline: million samples/s", "1 or more", spread(offline), median(offline) >= 1),
    ]
