"""Operations and bytes against figures that were counted by hand."""

from __future__ import annotations

import pytest

from mlharness.trace.onednn.work import Argument, estimate

F32 = tuple(Argument(role, "f32") for role in ("src", "wei", "bia", "dst"))


@pytest.mark.parametrize(
    ("kind", "problem", "flops", "elements"),
    [
        # ResNet-50's first layer: 118 million multiply-adds
        ("convolution", "mb1_ic3oc64_ih224oh112kh7sh2dh0ph3_iw224ow112kw7sw2dw0pw3",
         2 * 118_013_952, 3 * 224 * 224 + 64 * 3 * 49 + 64 + 64 * 112 * 112),
        # depthwise: one input channel for each output channel
        ("convolution", "g32mb2_ic32oc32_ih4oh4kh3sh1dh0ph1_iw4ow4kw3sw1dw0pw1",
         2 * 2 * 32 * 16 * 9, 2 * 32 * 16 + 32 * 9 + 32 + 2 * 32 * 16),
        ("convolution", "mb1_ic2oc3_id4od4kd3sd1dd0pd1_ih5oh5kh1sh1dh0ph0_iw6ow6kw1sw1dw0pw0",
         2 * 3 * 120 * 2 * 3, 2 * 120 + 3 * 2 * 3 + 3 + 3 * 120),
        ("convolution", "mb1_ic2oc3_iw6ow4kw3sw1dw0pw0", 2 * 3 * 4 * 2 * 3, 12 + 18 + 3 + 12),
        ("deconvolution", "mb1_ic4oc2_ih3oh6kh2sh2dh0ph0_iw3ow6kw2sw2dw0pw0",
         2 * 4 * 9 * 2 * 4, 36 + 32 + 2 + 72),
        ("inner_product", "mb8ic512oc1000", 2 * 8 * 512 * 1000, 8 * 512 + 512 * 1000 + 1000 + 8000),
        ("inner_product", "mb1ic256ih6iw6oc10", 2 * 9216 * 10, 9216 + 92160 + 10 + 10),
        ("matmul", "2x3:3x5", 2 * 2 * 3 * 5, 6 + 15 + 5 + 10),
        ("matmul", "4x2x3:1x3x5:4x2x5", 2 * 4 * 2 * 3 * 5, 24 + 15 + 5 + 40),
        ("pooling", "mb1ic64_ih112oh56kh3sh2dh0ph1_iw112ow56kw3sw2dw0pw1",
         64 * 56 * 56 * 9, 64 * 112 * 112 + 64 * 56 * 56),
        ("eltwise", "1x64x8x8", 4096, 2 * 4096),
        ("eltwise", "x7", 7, 14),
        ("batch_normalization", "mb2ic3ih4iw5", 2 * 120, 240),
        ("softmax", "1x1000", 5000, 2000),
        ("reorder", "64x3x7x7", 0, 2 * 9408),
    ],
)  # fmt: skip
def test_figures(kind: str, problem: str, flops: int, elements: int) -> None:
    work = estimate(kind, problem, F32)
    assert work is not None
    assert (work.flops, work.bytes) == (flops, 4 * elements)


def test_a_broadcast_operand_is_read_once() -> None:
    twice = (Argument("src", "f32"), Argument("src", "f32"), Argument("dst", "f32"))
    work = estimate("binary", "2x3x4x4:1x3x1x1", twice)
    assert work is not None
    assert (work.flops, work.bytes) == (96, 4 * (96 + 3 + 96))
    named = (Argument("src0", "f32"), Argument("src1", "f32"), Argument("dst", "f32"))
    assert estimate("binary", "2x3x4x4:1x3x1x1", named) == work


def test_every_tensor_counts_with_its_own_type() -> None:
    mixed = (Argument("src", "u8"), Argument("wei", "s8"), Argument("dst", "bf16"))
    work = estimate("matmul", "2x3:3x5", mixed)
    assert work is not None
    assert work.bytes == 6 + 15 + 2 * 10


def test_data_in_place_is_read_and_written() -> None:
    work = estimate("eltwise", "1x10", [Argument("data", "f32")])
    assert work is not None
    assert work.bytes == 80


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("rnn", "l1t10mb1sic4slc4dhc4dic4"), ("matmul", "*x3:3x5"), ("matmul", "3:4"), ("convolution", "1x2x3"),
        ("binary", "1x2"), ("softmax", "axb"), ("convolution", "mb1_ic3oc0_iw1ow1kw1"[:0]), ("matmul", ""),
    ],
)  # fmt: skip
def test_what_is_not_known_is_not_estimated(kind: str, problem: str) -> None:
    assert estimate(kind, problem, F32) is None
