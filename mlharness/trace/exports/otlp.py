"""OpenTelemetry's protocol over HTTP or gRPC, for Jaeger, Tempo and other collectors: one trace for each query.

Spans that belong to no query (the run and its phases) are a trace of their own, to which that of each query links.
Nothing is dropped silently: what a collector refuses is an error that says how many spans it has.
Protocol: https://opentelemetry.io/docs/specs/otlp/
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from mlharness.errors import RunError, UserError
from mlharness.trace.exports.rows import Row, Trace

AT_ONCE = 2_000
"""Spans a request: about 500 kB, an eighth of what collectors take by default."""
ATTEMPTS = 5
TIMEOUT_S = 30.0
PROTOCOLS = ("http", "grpc")
_BUSY = (429, 502, 503, 504)
"""Answers after which the specification asks clients to try again."""

Send = Callable[[Any], Any]
"""Hands one ExportTraceServiceRequest to a collector and returns its ExportTraceServiceResponse."""


def send(trace: Trace, endpoint: str, protocol: str, wait: Callable[[float], None] = time.sleep) -> int:
    """Send the trace; returns how many spans the collector has taken: all of them.

    Args:
        trace: what to send.
        endpoint: ``http://HOST:4318`` for HTTP, ``HOST:4317`` or ``http://HOST:4317`` for gRPC.
        protocol: ``http`` or ``grpc``.
        wait: between attempts, seconds.

    Raises:
        UserError: a package is missing, or the collector cannot be reached.
        RunError: the collector refused spans.
    """
    deliver, close = (_over_grpc if protocol == "grpc" else _over_http)(endpoint, wait)
    sent = 0
    try:
        for request, count in requests_of(trace):
            refused = deliver(request).partial_success
            if refused.rejected_spans:
                raise RunError(
                    f"{endpoint} refused {refused.rejected_spans} of {count} spans: {refused.error_message}; "
                    f"{sent + count - refused.rejected_spans} of {len(trace.rows)} were taken",
                    "See the collector's limits and log.",
                )
            sent += count
    finally:
        close()
    return sent


def requests_of(trace: Trace) -> Iterator[tuple[Any, int]]:
    """Each request, and how many spans it holds. Raises UserError when the protocol's package is not there."""
    try:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    except ImportError as error:
        raise missing("opentelemetry-proto") from error
    run = hashlib.sha256(trace.run_id.encode()).digest()
    query_of = {row.id: row.query for row in trace.rows}
    for first in range(0, len(trace.rows), AT_ONCE):
        request = ExportTraceServiceRequest()
        resource = request.resource_spans.add()
        for key, value in resource_of(trace).items():
            _attribute(resource.resource.attributes, key, value)
        scope = resource.scope_spans.add()
        scope.scope.name = "mlharness"
        part = trace.rows[first : first + AT_ONCE]
        for row in part:
            _span(scope.spans.add(), row, run, query_of, trace.offset_ns)
        yield request, len(part)


def resource_of(trace: Trace) -> dict[str, str]:
    """What all spans have in common, under OpenTelemetry's names where there are any."""
    result = trace.result
    return {
        "service.name": "mlharness",
        "service.instance.id": trace.run_id,
        "host.name": str(result["system"].get("host", "")),
        "mlharness.model": result["model"]["name"],
        "mlharness.framework": result["framework"]["name"],
        "mlharness.scenario": result["scenario"],
    }


def missing(package: str) -> UserError:
    """The error for a package that this export needs."""
    return UserError(f"the package {package} is not installed", "Run: pip install 'mlharness[exports]'")


def _span(span: Any, row: Row, run: bytes, query_of: Mapping[int, int], offset_ns: int) -> None:
    span.trace_id, span.span_id = trace_id(run, row.query), span_id(run, row.id)
    if row.parent:
        if query_of.get(row.parent, -1) == row.query:
            span.parent_span_id = span_id(run, row.parent)
        else:
            span.links.add(trace_id=trace_id(run, query_of.get(row.parent, -1)), span_id=span_id(run, row.parent))
    span.name = row.name
    span.start_time_unix_nano = row.start_ns + offset_ns
    span.end_time_unix_nano = row.end_ns + offset_ns
    if row.thread:
        _attribute(span.attributes, "thread.id", row.thread)
    _attribute(span.attributes, "mlharness.parentage", row.parentage)
    for key, value in row.facts().items():
        _attribute(span.attributes, f"mlharness.{key}", value)


def trace_id(run: bytes, query: int) -> bytes:
    """16 bytes: 8 of the run, and the query's number, so that a trace can be found by it; that of no query is 0."""
    return run[:8] + (query + 1).to_bytes(8, "big")


def span_id(run: bytes, number: int) -> bytes:
    """8 bytes: 3 of the run, and the span's number."""
    return run[8:11] + number.to_bytes(5, "big")


def _attribute(attributes: Any, key: str, value: Any) -> None:
    found = attributes.add(key=key).value
    if isinstance(value, bool):
        found.bool_value = value
    elif isinstance(value, int):
        found.int_value = value
    elif isinstance(value, float):
        found.double_value = value
    else:
        found.string_value = value if isinstance(value, str) else json.dumps(value)


def _over_http(endpoint: str, wait: Callable[[float], None]) -> tuple[Send, Callable[[], None]]:
    import requests
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    url = endpoint.rstrip("/")
    if urlsplit(url).scheme not in ("http", "https"):
        raise UserError(f"--endpoint {endpoint!r} is no URL", "Write http://HOST:4318.")
    url = url if url.endswith("/v1/traces") else f"{url}/v1/traces"
    session = requests.Session()

    def deliver(request: Any) -> Any:
        body = request.SerializeToString()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                answer = session.post(
                    url, data=body, headers={"Content-Type": "application/x-protobuf"}, timeout=TIMEOUT_S
                )
            except requests.RequestException as error:
                raise unreachable(endpoint, str(error)) from error
            if answer.status_code == 200:
                return ExportTraceServiceResponse.FromString(answer.content)
            if answer.status_code not in _BUSY or attempt == ATTEMPTS:
                break
            wait(_pause(answer.headers.get("Retry-After"), attempt))
        raise RunError(f"{url} answered {answer.status_code}: {answer.text[:200]}", "Is it an OTLP endpoint?")

    return deliver, session.close


def _pause(told: str | None, attempt: int) -> float:
    """Seconds before the next attempt: as the collector says, else twice as long each time."""
    return float(told) if told and told.isdecimal() else 0.5 * 2**attempt


def _over_grpc(endpoint: str, wait: Callable[[float], None]) -> tuple[Send, Callable[[], None]]:
    try:
        import grpc
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
    except ImportError as error:
        raise missing("grpcio") from error
    parts = urlsplit(endpoint if "://" in endpoint else f"http://{endpoint}")
    secure = parts.scheme == "https"
    channel = (
        grpc.secure_channel(parts.netloc, grpc.ssl_channel_credentials())
        if secure
        else grpc.insecure_channel(parts.netloc)
    )
    export = TraceServiceStub(channel).Export
    again = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.DEADLINE_EXCEEDED)

    def deliver(request: Any) -> Any:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return export(request, timeout=TIMEOUT_S)
            except grpc.RpcError as error:
                if error.code() not in again or attempt == ATTEMPTS:
                    raise unreachable(endpoint, f"{error.code().name}: {error.details()}") from error
                wait(_pause(None, attempt))
        raise AssertionError("the last attempt returns or raises")

    return deliver, channel.close


def unreachable(endpoint: str, why: str) -> UserError:
    """The error for a collector that does not answer."""
    return UserError(f"{endpoint} cannot be reached: {why}", "Is a collector listening there? See --protocol, too.")
