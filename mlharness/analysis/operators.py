"""The operators of the frameworks, sorted by how their operations are counted; see :mod:`mlharness.analysis.flops`.

Names are those of ONNX, of PyTorch (with ``aten::``), of TensorFlow and of MXNet. What stands in no group is unknown.
"""

from __future__ import annotations

_KINDS = """
convolution: Conv FusedConv NhwcConv NhwcFusedConv ConvInteger Convolution aten::conv1d aten::conv2d aten::conv3d
    aten::convolution aten::_convolution aten::mkldnn_convolution aten::thnn_conv2d aten::_slow_conv2d_forward
    mkldnn::_convolution_pointwise _sg_mkldnn_conv _sg_onednn_conv
quantised convolution: QLinearConv
transposed convolution: ConvTranspose Deconvolution aten::conv_transpose2d
convolution, channels last: Conv2D Conv3D _FusedConv2D _MklConv2D _MklFusedConv2D _MklNativeConv2D
    _MklNativeFusedConv2D
depthwise convolution, channels last: DepthwiseConv2dNative _FusedDepthwiseConv2dNative
    _MklNativeDepthwiseConv2dNative _MklNativeFusedDepthwiseConv2dNative _MklFusedDepthwiseConv2dNative
product: Gemm FusedGemm MatMul FusedMatMul MatMulInteger MatMulIntegerToFloat QLinearMatMul DynamicQuantizeMatMul
    MatMulV2 _FusedMatMul BatchMatMul BatchMatMulV2 _MklMatMul _MklFusedMatMul _MklNativeMatMul _MklNativeFusedMatMul
    _MklBatchMatMulV2 FullyConnected _sg_mkldnn_fully_connected dot batch_dot
biased product: aten::addmm aten::baddbmm
plain product: aten::mm aten::bmm aten::matmul
linear: aten::linear mkldnn::_linear_pointwise aten::mkldnn_linear
attention: aten::scaled_dot_product_attention aten::_scaled_dot_product_flash_attention_for_cpu
recurrent: LSTM GRU RNN
one an output: Relu LeakyRelu Elu Selu Sigmoid HardSigmoid HardSwish Tanh Erf Exp Log Sqrt Rsqrt Neg Abs Clip Relu6
    Add AddV2 BiasAdd Sub Mul Div RealDiv Pow Max Min Maximum Minimum Sum Where Select SelectV2 Equal Greater Less
    Gelu FastGelu BiasGelu QuickGelu SiLU Swish Activation elemwise_add broadcast_add elemwise_mul broadcast_mul
    aten::relu aten::relu_ aten::relu6 aten::hardtanh aten::hardtanh_ aten::hardswish aten::hardswish_
    aten::hardsigmoid aten::hardsigmoid_ aten::sigmoid aten::sigmoid_ aten::silu aten::silu_ aten::gelu aten::tanh
    aten::leaky_relu aten::leaky_relu_ aten::clamp aten::clamp_ aten::clamp_min aten::clamp_min_ aten::exp
    aten::add aten::add_ aten::sub aten::mul aten::mul_ aten::div aten::div_ aten::pow aten::neg aten::sqrt
    aten::rsqrt aten::where
two an output: BatchNormalization BatchNorm FusedBatchNorm FusedBatchNormV3 _FusedBatchNormEx
    _MklNativeFusedBatchNorm aten::batch_norm aten::native_batch_norm aten::_batch_norm_impl_index
    aten::cudnn_batch_norm
four an output: Softmax LogSoftmax softmax aten::softmax aten::_softmax aten::log_softmax aten::_log_softmax
eight an output: LayerNormalization SkipLayerNormalization InstanceNormalization GroupNormalization
    SimplifiedLayerNormalization LayerNorm aten::layer_norm aten::native_layer_norm aten::group_norm
    aten::instance_norm
one an input: MaxPool AveragePool GlobalAveragePool GlobalMaxPool AvgPool _MklMaxPool _MklAvgPool Pooling
    _MklNativeMaxPool _MklNativeAvgPool ReduceMean ReduceSum ReduceMax ReduceMin ArgMax ArgMin Mean aten::mean
    aten::sum aten::max aten::argmax aten::max_pool2d aten::max_pool2d_with_indices aten::avg_pool2d
    aten::adaptive_avg_pool2d aten::_adaptive_avg_pool2d
none: Transpose Concat ConcatV2 Expand Tile Pad PadV2 Cast Constant ConstantOfShape ReorderInput ReorderOutput Copy
    MemcpyToHost MemcpyFromHost DepthToSpace SpaceToDepth transpose Reorder _MklToTf aten::contiguous aten::clone
    aten::copy_ aten::to aten::_to_copy aten::cat aten::pad aten::constant_pad_nd aten::zeros
none, a view: Reshape Flatten Squeeze Unsqueeze Identity Dropout Shape ExpandDims aten::view aten::reshape
    aten::flatten aten::squeeze aten::unsqueeze aten::expand aten::permute aten::transpose aten::t aten::slice
    aten::select aten::narrow aten::dropout aten::split aten::chunk aten::empty aten::detach aten::lift_fresh
    aten::resolve_conj aten::resolve_neg aten::alias aten::view_as aten::expand_as aten::as_strided aten::unbind
    _Arg _Retval _EagerConst Const NoOp
none, a choice: Gather GatherV2 ResourceGather Slice StridedSlice Split aten::embedding aten::index_select
    aten::gather
"""


def _read(text: str) -> dict[str, frozenset[str]]:
    """Each group with its kinds; a group goes on in the indented lines below it."""
    lines = text.replace("\n    ", " ").strip().splitlines()
    return {group: frozenset(kinds.split()) for group, _, kinds in (line.partition(": ") for line in lines)}


KINDS = _read(_KINDS)
"""Of ``none, a view`` the output is the input seen otherwise; ``none, a choice`` reads as much as it writes."""
