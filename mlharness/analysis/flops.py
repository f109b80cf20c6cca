"""How many operations an operator takes, and how many bytes it moves: estimated from its shapes, by its kind.

A multiply and an add are two operations; a bias and an activation that are fused into a product are not counted. Bytes
are those of all inputs and outputs, each moved once: what a cache that is large enough would leave. Where a kind or a
shape is unknown the answer is None, not a guess.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

Shape = Sequence[int]
Tensor = tuple[str, tuple[int, ...]]
Formula = Callable[[Sequence[Shape], Sequence[Shape]], float]
"""Operations from the dims of inputs and outputs. Raises IndexError, ValueError or ZeroDivisionError where they do not
suffice."""

ITEM_BYTES = {
    "double": 8, "float64": 8, "f64": 8, "int64": 8, "long": 8, "long int": 8, "uint64": 8, "s64": 8,
    "float": 4, "float32": 4, "f32": 4, "int": 4, "int32": 4, "uint32": 4, "s32": 4,
    "half": 2, "float16": 2, "f16": 2, "c10::half": 2, "bfloat16": 2, "bf16": 2, "c10::bfloat16": 2, "int16": 2,
    "int8": 1, "uint8": 1, "s8": 1, "u8": 1, "bool": 1, "byte": 1, "signed char": 1, "unsigned char": 1,
}  # fmt: skip


def _convolution(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> float:
    """Weights [O, I/groups, kernel ...]: each output element is a sum over the rest of the weights' axes."""
    weights = inputs[1]
    return 2 * prod(outputs[0]) * prod(weights[1:])


def _quantised_convolution(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> float:
    """ONNX's QLinearConv: scale and zero point of the input come before the weights."""
    return _convolution((inputs[0], inputs[3]), outputs)


def _convolution_last(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> float:
    """TensorFlow's weights [kernel ..., I/groups, O]."""
    return 2 * prod(outputs[0]) * prod(inputs[1][:-1])


def _depthwise_last(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> float:
    """TensorFlow's weights [kernel ..., C, multiplier]: one channel a sum."""
    return 2 * prod(outputs[0]) * prod(inputs[1][:-2])


def _transposed_convolution(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> float:
    """Weights [I, O/groups, kernel ...]: each input element goes to so many outputs."""
    return 2 * prod(inputs[0]) * prod(inputs[1][1:])


def _product(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> float:
    """[..., M, K] x [..., K, N], either of them perhaps transposed: the output tells M and N, the first input K."""
    first, output = inputs[0], outputs[0]
    rows = prod(output) // output[-1]
    inner = prod(first) // rows if prod(first) % rows == 0 else first[-1]
    return 2 * prod(output) * inner


def _biased_product(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> float:
    """aten::addmm: the bias comes first."""
    return _plain_product(inputs[1:], outputs)


def _plain_product(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> float:
    """aten::mm, bmm, matmul: nothing is transposed, so that the inputs tell all, also without an output."""
    first, second = inputs[:2]
    if len(second) == 1:
        return 2 * prod(first)
    batch = max(prod(first[:-2]), prod(second[:-2]))
    return 2 * batch * prod(first[-2:]) * second[-1]


def _linear(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> float:
    """aten::linear: weights [out, in]."""
    return 2 * prod(inputs[0]) * inputs[1][0]


def _attention(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> float:
    """Query [..., L, E], key [..., S, E], value [..., S, V]: two products."""
    query, key, value = inputs[:3]
    return 2 * prod(query[:-1]) * key[-2] * (query[-1] + value[-1])


def _recurrent(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> float:
    """ONNX's LSTM, GRU and RNN: X [time, batch, I], W and R [directions, gates x H, I or H]."""
    time, batch = inputs[0][:2]
    return 2 * time * batch * (prod(inputs[1]) + prod(inputs[2]))


def _each_output(times: float) -> Formula:
    return lambda inputs, outputs: times * prod((outputs or inputs)[0])


def _each_input(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> float:
    """Reductions and pooling: each element is taken once (overlapping windows take some again, which is left out)."""
    return prod(inputs[0])


def _none(inputs: Sequence[Shape], outputs: Sequence[Shape]) -> float:
    return 0


def _table(*groups: tuple[Formula, str]) -> dict[str, Formula]:
    return {kind: formula for formula, kinds in groups for kind in kinds.split()}


FORMULAS = _table(
    (_convolution, "Conv FusedConv NhwcConv NhwcFusedConv ConvInteger Convolution aten::conv1d aten::conv2d aten::conv3d "
     "aten::convolution aten::_convolution aten::mkldnn_convolution aten::thnn_conv2d aten::_slow_conv2d_forward "
     "mkldnn::_convolution_pointwise"),
    (_quantised_convolution, "QLinearConv"),
    (_transposed_convolution, "ConvTranspose Deconvolution aten::conv_transpose2d"),
    (_convolution_last, "Conv2D Conv3D _FusedConv2D _MklConv2D _MklFusedConv2D _MklNativeConv2D _MklNativeFusedConv2D"),
    (_depthwise_last, "DepthwiseConv2dNative _FusedDepthwiseConv2dNative _MklNativeDepthwiseConv2dNative "
     "_MklNativeFusedDepthwiseConv2dNative _MklFusedDepthwiseConv2dNative"),
    (_product, "Gemm FusedGemm MatMul FusedMatMul MatMulInteger MatMulV2 _FusedMatMul BatchMatMul BatchMatMulV2 "
     "_MklMatMul _MklFusedMatMul _MklNativeMatMul _MklNativeFusedMatMul _MklBatchMatMulV2 FullyConnected dot batch_dot DynamicQuantizeMatMul "
     "MatMulIntegerToFloat QLinearMatMul"),
    (_biased_product, "aten::addmm aten::baddbmm"),
    (_plain_product, "aten::mm aten::bmm aten::matmul"),
    (_linear, "aten::linear mkldnn::_linear_pointwise aten::mkldnn_linear"),
    (_attention, "aten::scaled_dot_product_attention aten::_scaled_dot_product_flash_attention_for_cpu"),
    (_recurrent, "LSTM GRU RNN"),
    (_each_output(1), "Relu LeakyRelu Elu Selu Sigmoid HardSigmoid HardSwish Tanh Erf Exp Log Sqrt Rsqrt Neg Abs Clip Relu6 "
     "Add AddV2 BiasAdd Sub Mul Div RealDiv Pow Max Min Maximum Minimum Sum Where Select SelectV2 Equal Greater Less Gelu "
     "FastGelu BiasGelu QuickGelu SiLU Swish Activation elemwise_add broadcast_add elemwise_mul broadcast_mul "
     "aten::relu aten::relu_ aten::relu6 aten::hardtanh aten::hardtanh_ aten::hardswish aten::hardswish_ "
     "aten::hardsigmoid aten::hardsigmoid_ aten::sigmoid aten::sigmoid_ aten::silu aten::silu_ aten::gelu aten::tanh "
     "aten::leaky_relu aten::leaky_relu_ aten::clamp aten::clamp_ aten::clamp_min aten::clamp_min_ aten::exp "
     "aten::add aten::add_ aten::sub aten::mul aten::mul_ aten::div aten::div_ aten::pow aten::neg aten::sqrt "
     "aten::rsqrt aten::where"),
    (_each_output(2), "BatchNormalization BatchNorm FusedBatchNorm FusedBatchNormV3 _FusedBatchNormEx _MklNativeFusedBatchNorm "
     "aten::batch_norm aten::native_batch_norm aten::_batch_norm_impl_index aten::cudnn_batch_norm"),
    (_each_output(4), "Softmax LogSoftmax softmax aten::softmax aten::_softmax aten::log_softmax aten::_log_softmax"),
    (_each_output(8), "LayerNormalization SkipLayerNormalization InstanceNormalization GroupNormalization "
     "SimplifiedLayerNormalization LayerNorm aten::layer_norm aten::native_layer_norm aten::group_norm aten::instance_norm"),
    (_each_input, "MaxPool AveragePool GlobalAveragePool GlobalMaxPool AvgPool _MklMaxPool _MklAvgPool Pooling "
     "_MklNativeMaxPool _MklNativeAvgPool "
     "ReduceMean ReduceSum ReduceMax ReduceMin ArgMax ArgMin Mean aten::mean aten::sum aten::max aten::argmax "
     "aten::max_pool2d aten::max_pool2d_with_indices aten::avg_pool2d aten::adaptive_avg_pool2d aten::_adaptive_avg_pool2d"),
    (_none, "Reshape Flatten Squeeze Unsqueeze Identity Dropout Shape ExpandDims Transpose Concat ConcatV2 Split Slice "
     "StridedSlice Gather GatherV2 ResourceGather Expand Tile Pad PadV2 Cast Constant ConstantOfShape ReorderInput "
     "ReorderOutput Copy MemcpyToHost MemcpyFromHost DepthToSpace SpaceToDepth transpose Reorder _MklToTf aten::view "
     "aten::reshape aten::flatten aten::squeeze aten::unsqueeze aten::expand aten::permute aten::transpose aten::t "
     "aten::contiguous aten::clone aten::copy_ aten::to aten::_to_copy aten::cat aten::split aten::chunk aten::slice "
     "aten::select aten::narrow aten::embedding aten::index_select aten::dropout aten::pad aten::constant_pad_nd "
     "aten::empty aten::zeros"),
)  # fmt: skip
"""For each kind of operator, how its operations are counted."""

VIEWS = frozenset(
    "Reshape Flatten Squeeze Unsqueeze Identity Dropout Shape ExpandDims aten::view aten::reshape aten::flatten "
    "aten::squeeze aten::unsqueeze aten::expand aten::permute aten::transpose aten::t aten::slice aten::select "
    "aten::narrow aten::dropout aten::split aten::chunk aten::empty".split()
)
"""These move nothing: their output is their input seen otherwise."""
PICKED = frozenset(
    "Gather GatherV2 ResourceGather Slice StridedSlice Split aten::embedding aten::index_select aten::gather".split()
)
"""These read as much as they write, however large their input is."""


def operations(kind: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> float | None:
    """Operations of one execution; None where the kind is unknown, or the shapes do not suffice."""
    formula = FORMULAS.get(kind)
    if formula is None:
        return None
    try:
        return formula([dims for _, dims in inputs], [dims for _, dims in outputs])
    except (IndexError, ValueError, ZeroDivisionError):
        return None


def moved_bytes(kind: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> int | None:
    """Bytes that one execution reads and writes; None where a tensor's dtype is unknown, or no shape is given."""
    if kind in VIEWS:
        return 0
    if not inputs or not outputs:
        return None
    sizes = [_size(tensor) for tensor in (*(outputs if kind in PICKED else inputs), *outputs)]
    return None if None in sizes else sum(size for size in sizes if size is not None)


def tensors(given: Any) -> list[Tensor]:
    """The attribute ``inputs`` or ``outputs`` of an operator, ``[[dtype, [dims]] ...]``; nothing of anything else."""
    found: list[Tensor] = []
    for entry in given if isinstance(given, list) else []:
        match entry:
            case [str(dtype), [*dims]] if all(isinstance(dim, int) for dim in dims):
                found.append((dtype, tuple(dims)))
            case _:
                return []
    return found


def _size(tensor: Tensor) -> int | None:
    dtype, dims = tensor
    item = ITEM_BYTES.get(dtype.lower())
    return None if item is None else item * prod(dims)
