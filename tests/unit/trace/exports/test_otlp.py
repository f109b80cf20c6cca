"""OTLP against a collector on a socket that decodes what it is sent with OpenTelemetry's own messages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from mlharness.errors import RunError, UserError
from mlharness.trace.exports import otlp
from mlharness.trace.exports.rows import Trace

service = pytest.importorskip(
    "opentelemetry.proto.collector.trace.v1.trace_service_pb2", reason="no package opentelemetry-proto"
)


class Collector:
    """Takes requests; ``answers`` are HTTP codes that it gives before it takes any, ``refuse`` the spans it rejects."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.answers: list[int] = []
        self.refuse = 0

    def take(self, request: Any) -> Any:
        """The answer to a request."""
        self.requests.append(request)
        response = service.ExportTraceServiceResponse()
        if self.refuse:
            response.partial_success.rejected_spans = self.refuse
            response.partial_success.error_message = "too old"
        return response

    @property
    def spans(self) -> list[Any]:
        """All spans that were sent."""
        return [
            span for request in self.requests for resource in request.resource_spans
            for scope in resource.scope_spans for span in scope.spans
        ]  # fmt: skip


@pytest.fixture
def collector() -> Collector:
    """One that takes everything."""
    return Collector()


@pytest.fixture
def http(collector: Collector) -> Iterator[str]:
    """Its endpoint for HTTP."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.path == "/v1/traces"
            assert self.headers["Content-Type"] == "application/x-protobuf"
            code = collector.answers.pop(0) if collector.answers else 200
            taken = service.ExportTraceServiceRequest.FromString(body)
            answer = collector.take(taken).SerializeToString() if code == 200 else b"busy"
            self.send_response(code)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def grpc_endpoint(collector: Collector) -> Iterator[str]:
    """Its endpoint for gRPC."""
    grpc = pytest.importorskip("grpc", reason="no package grpcio")
    stubs = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc")

    class Servicer(stubs.TraceServiceServicer):  # type: ignore[misc, name-defined]  # no types for the stubs
        def Export(self, request: Any, context: Any) -> Any:  # noqa: N802  # the protocol's name
            return collector.take(request)

    server = grpc.server(ThreadPoolExecutor(1))
    stubs.add_TraceServiceServicer_to_server(Servicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


def attributes(thing: Any) -> dict[str, Any]:
    """OTLP's attributes as a mapping."""
    return {entry.key: getattr(entry.value, entry.value.WhichOneof("value")) for entry in thing.attributes}


def check(collector: Collector, trace: Trace) -> None:
    """Every span has come, once, with its times; each query is a trace of its own, all in one tree."""
    spans = collector.spans
    assert len(spans) == len(trace.rows) == len({span.span_id for span in spans})
    by_id = {span.span_id: span for span in spans}
    offset = trace.offset_ns
    expected = sorted((row.name, row.start_ns + offset, row.end_ns + offset) for row in trace.rows)
    assert sorted((span.name, span.start_time_unix_nano, span.end_time_unix_nano) for span in spans) == expected
    queries = [span for span in spans if span.name == "query"]
    assert len({span.trace_id for span in queries}) == len(queries) == 5
    for span in spans:
        assert len(span.trace_id) == 16
        assert len(span.span_id) == 8
        if span.parent_span_id:
            assert by_id[span.parent_span_id].trace_id == span.trace_id
    phase = next(span for span in spans if span.name == "measure")
    assert all(span.links[0].span_id == phase.span_id and not span.parent_span_id for span in queries)
    of_query = [span for span in spans if span.trace_id == queries[0].trace_id]
    assert {"batch", "predict", "conv1", "brgconv:avx2"} <= {span.name for span in of_query}
    conv = next(span for span in of_query if span.name == "conv1")
    assert attributes(conv)["mlharness.kind"] == "Conv"
    assert attributes(collector.requests[0].resource_spans[0].resource)["service.name"] == "mlharness"


def test_http(collector: Collector, http: str, trace: Trace) -> None:
    assert otlp.send(trace, http, "http") == len(trace.rows)
    check(collector, trace)


def test_grpc(collector: Collector, grpc_endpoint: str, trace: Trace) -> None:
    assert otlp.send(trace, grpc_endpoint, "grpc") == len(trace.rows)
    check(collector, trace)


def test_many_requests(collector: Collector, http: str, trace: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp, "AT_ONCE", 7)
    assert otlp.send(trace, http, "http") == len(trace.rows)
    assert len(collector.requests) == -(-len(trace.rows) // 7)
    check(collector, trace)


def test_a_busy_collector_is_asked_again(collector: Collector, http: str, trace: Trace) -> None:
    collector.answers = [503, 429]
    waited: list[float] = []
    assert otlp.send(trace, http, "http", waited.append) == len(trace.rows)
    assert waited == [1.0, 2.0]
    check(collector, trace)


def test_one_that_stays_busy_is_an_error(collector: Collector, http: str, trace: Trace) -> None:
    collector.answers = [503] * 10
    with pytest.raises(RunError, match="answered 503: busy"):
        otlp.send(trace, http, "http", lambda seconds: None)
    assert len(collector.answers) == 10 - otlp.ATTEMPTS


def test_refused_spans_are_not_dropped_silently(collector: Collector, http: str, trace: Trace) -> None:
    collector.refuse = 3
    total = len(trace.rows)
    with pytest.raises(RunError, match=f"refused 3 of {total} spans: too old; {total - 3} of {total} were taken"):
        otlp.send(trace, http, "http")


def test_nobody_listens(trace: Trace) -> None:
    with pytest.raises(UserError, match="cannot be reached"):
        otlp.send(trace, "http://127.0.0.1:1", "http")


def test_nobody_listens_to_grpc(trace: Trace) -> None:
    pytest.importorskip("grpc", reason="no package grpcio")
    with pytest.raises(UserError, match="cannot be reached: UNAVAILABLE"):
        otlp.send(trace, "127.0.0.1:1", "grpc", lambda seconds: None)


def test_no_url(trace: Trace) -> None:
    with pytest.raises(UserError, match="is no URL"):
        otlp.send(trace, "localhost", "http")
