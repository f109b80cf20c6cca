"""Lines as oneDNN prints them, of each version that is understood."""

from __future__ import annotations

HEADER_3 = (
    "onednn_verbose,v1,primitive,info,template:timestamp,operation,engine,primitive,implementation,prop_kind,"
    "memory_descriptors,attributes,auxiliary,problem_desc,exec_time\n"
)
HEADER_GRAPH = (
    "onednn_verbose,v1,graph,info,template:timestamp,operation,engine,partition_id,partition_kind,op_names,"
    "data_formats,logical_tensors,fpmath_mode,implementation,backend,exec_time\n"
)
HEADER_2 = (
    "dnnl_verbose,info,prim_template:timestamp,operation,engine,primitive,implementation,prop_kind,"
    "memory_descriptors,attributes,auxiliary,problem_desc,exec_time\n"
)
CONVOLUTION = (
    "cpu,convolution,brgconv:avx512_core,forward_inference,src:f32::blocked:acdb::f0 wei:f32:ap:blocked:Acdb16a::f0 "
    "bia:undef::undef::: dst:f32:a:blocked:acdb::f0,attr-scratchpad:user attr-post-ops:eltwise_relu,"
    "alg:convolution_direct,g2mb1_ic4oc64_ih8oh4kh3sh2dh0ph1_iw8ow4kw3sw2dw0pw1"
)
REORDER_2 = "cpu,reorder,jit:uni,undef,src_f32::blocked:abcd:f0 dst_f32::blocked:aBcd16b:f0,,,1x3x8x8"


def three(milliseconds: str, took: str = "0.25", what: str = CONVOLUTION) -> bytes:
    """An execution, as oneDNN 3 tells it."""
    return f"onednn_verbose,v1,{milliseconds},primitive,exec,{what},{took}\n".encode()


def two(milliseconds: str, took: str = "0.25", what: str = REORDER_2) -> bytes:
    """An execution, as oneDNN 2 tells it."""
    return f"dnnl_verbose,{milliseconds},exec,{what},{took}\n".encode()
