"""Lines of every version are understood; what is not whole is counted, and never guessed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlharness.trace.onednn.lines import Lines
from tests.unit.trace.onednn.told import HEADER_2, HEADER_3, HEADER_GRAPH, three, two

NOW = "1784598739123.456789"
NOW_NS = 1_784_598_739_123_456_789


def test_a_line_of_version_3_tells_all_of_a_primitive() -> None:
    executed = Lines().read(three(NOW, "0.25"))
    assert executed is not None
    primitive, start, duration = executed
    assert (start, duration) == (NOW_NS, 250_000)
    assert (primitive.kind, primitive.implementation) == ("convolution", "brgconv:avx512_core")
    assert json.loads(primitive.attributes) == {
        "shape": "g2mb1_ic4oc64_ih8oh4kh3sh2dh0ph1_iw8ow4kw3sw2dw0pw1",
        "formats": "src:f32:acdb wei:f32:Acdb16a dst:f32:acdb",
        "algorithm": "convolution_direct",
        "fused": "eltwise_relu",
        "flops": 2 * 64 * 4 * 4 * 2 * 9,
        "bytes": 4 * (4 * 64 + 64 * 2 * 9 + 64 * 16),
        "estimated": True,
    }


def test_a_line_of_version_2_has_the_older_form_of_formats() -> None:
    executed = Lines().read(two(NOW))
    assert executed is not None
    primitive, start, _ = executed
    assert start == NOW_NS
    assert (primitive.kind, primitive.implementation) == ("reorder", "jit:uni")
    facts = json.loads(primitive.attributes)
    assert facts["formats"] == "src:f32:abcd dst:f32:aBcd16b"
    assert (facts["flops"], facts["bytes"]) == (0, 2 * 4 * 3 * 64)


@pytest.mark.parametrize("prefix", ["onednn_verbose,", "onednn_verbose,v0,", "onednn_verbose,v1,", "dnnl_verbose,"])
@pytest.mark.parametrize("component", ["", "primitive,"])
def test_every_beginning_is_known(prefix: str, component: str) -> None:
    line = f"{prefix}{NOW},{component}exec,cpu,softmax,jit:avx512,forward_inference,,,axis:1,1x10,1e-05\n".encode()
    executed = Lines().read(line)
    assert executed is not None
    assert executed[1:] == (NOW_NS, 10)


@pytest.mark.parametrize(
    ("told", "nanoseconds"),
    [("1000", 0), ("1000.5", 500_000), ("1000.000244", 244), ("1000.1234567", 123_456), ("1000.000001", 1)],
)
def test_times_are_read_exactly(told: str, nanoseconds: int) -> None:
    executed = Lines().read(three(told))
    assert executed is not None
    assert executed[1] == 1_000_000_000 + nanoseconds


def test_the_header_names_the_places() -> None:
    lines = Lines()
    assert lines.read(b"onednn_verbose,v1,primitive,info,template:timestamp,operation,primitive,engine,implementation,"
                      b"exec_time\n") is None  # fmt: skip
    executed = lines.read(b"onednn_verbose,v1,5.0,primitive,exec,pooling,gpu:0,jit,1.5\n")
    assert executed is not None
    assert executed[0].kind == "pooling"
    assert json.loads(executed[0].attributes)["engine"] == "gpu:0"
    assert (lines.unread, lines.untimed) == (0, 0)


def test_a_product_by_the_old_call_names_no_implementation() -> None:
    lines = Lines()
    executed = lines.read(
        b"onednn_verbose,v1,5.0,primitive,exec,cpu,gemm_api,,undef,"
        b"src_f32::blocked:ab:f0 wei_f32::blocked:ab:f0 dst_f32::blocked:ab:f0,,,1x1280:1280x1000,0.5\n"
    )
    assert executed is not None
    assert (executed[0].kind, executed[0].implementation, lines.unread) == ("gemm_api", "gemm_api", 0)
    facts = json.loads(executed[0].attributes)
    assert facts["formats"] == "src:f32:ab wei:f32:ab dst:f32:ab"
    assert facts["flops"] == 2 * 1280 * 1000
    assert facts["bytes"] == 4 * (1280 + 1280 * 1000 + 1000)


@pytest.mark.parametrize("header", [HEADER_3, HEADER_GRAPH, HEADER_2])
def test_headers_are_no_broken_lines(header: str) -> None:
    lines = Lines()
    assert lines.read(header.encode()) is None
    assert lines.read(three(NOW)) is not None
    assert lines.unread == 0


@pytest.mark.parametrize(
    "line",
    [
        "onednn_verbose,v1,info,oneDNN v3.12.0 (commit 0123)\n",
        "onednn_verbose,v1,info,cpu,runtime:OpenMP,nthr:2\n",
        f"onednn_verbose,v1,{NOW},primitive,create:cache_miss,cpu,matmul,jit,undef,,,,1x2:2x1,0.1\n",
        f"onednn_verbose,v1,{NOW},graph,exec,cpu,100002,matmul_post_ops,a;b,,,strict,larger_partition,dnnl,0.5\n",
        "dnnl_verbose,info,gpu,runtime:none\n",
    ],
)
def test_other_lines_of_the_library_are_left_out(line: str) -> None:
    lines = Lines()
    assert lines.read(line.encode()) is None
    assert (lines.unread, lines.untimed) == (0, 0)


def test_a_line_without_a_time_is_counted() -> None:
    lines = Lines()
    assert lines.read(b"dnnl_verbose,exec,cpu,reorder,jit:uni,undef,,,,1x3x8x8,0.25\n") is None
    assert lines.read(b"mkldnn_verbose,exec,convolution,jit:avx512,forward_inference,,,mb1_ic3oc4,0.25\n") is None
    assert (lines.untimed, lines.unread) == (2, 0)


@given(st.integers(1, len(three(NOW)) - 1))
def test_a_line_that_was_cut_off_is_counted(length: int) -> None:
    lines = Lines()
    assert lines.read(three(NOW)[:length]) is None
    assert (lines.unread, lines.untimed) == (1, 0)


@given(st.integers(1, len(three(NOW)) - 1), st.integers(1, len(three(NOW)) - 1))
def test_two_lines_that_were_printed_into_each_other_are_counted(first: int, second: int) -> None:
    lines = Lines()
    assert lines.read(three(NOW)[:first] + three(NOW)) is None
    assert lines.read(three(NOW)[:first] + three(NOW)[:second] + b"\n") is None
    assert lines.unread == 2


@pytest.mark.parametrize(
    "line",
    [
        b"onednn_verbose,v1,1.0,primitive,exec,cpu,reorder,jit,undef,0.5\n",
        b"onednn_verbose,v1,1.0,primitive,exec,cpu,,jit,undef,,,,1x2,0.5\n",
        b"onednn_verbose,v1,1.0,primitive,exec,cpu,reorder,jit,undef,,,,1x2,a,b,0.5\n",
        b"onednn_verbose,v1,1.0,primitive,exec,cpu,reorder,jit,undef,,,,1x2,nan\n",
        b"onednn_verbose,\n",
        b"onednn_verbose,\xff\xfe\n",
    ],
)
def test_nonsense_is_counted(line: bytes) -> None:
    lines = Lines()
    assert lines.read(line) is None
    assert lines.unread == 1


@given(st.binary(max_size=200))
def test_no_bytes_raise(text: bytes) -> None:
    lines = Lines()
    for prefix in (b"onednn_verbose,", b"dnnl_verbose,1.0,exec,", b"onednn_verbose,v1,1.0,primitive,exec,cpu,matmul,"):
        lines.read(prefix + text + b"\n")
        lines.read(prefix + text + b",,,,,,,1.0\n")
