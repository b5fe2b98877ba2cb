"""Float models that cannot be quantised: one clear error each."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from host_compiler.quantize import quantize_model
from vta_pynq.errors import CompileError

FLOAT = TensorProto.FLOAT
info = helper.make_tensor_value_info


def net(
    weights=(4, 3, 3, 3), dtype=FLOAT, images=1, fill=1.0, outputs=("c",), more=()
) -> onnx.ModelProto:
    """One convolution of an image."""
    kind = helper.tensor_dtype_to_np_dtype(dtype)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["c"], "conv")],
        "odd",
        [info("x", dtype, (images, 3, 8, 8)), *more],
        [info(name, dtype, None) for name in outputs],
        [numpy_helper.from_array(np.full(weights, fill, kind), "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def with_sparse_weight() -> onnx.ModelProto:
    model = net()
    values = helper.make_tensor("k", FLOAT, (1,), [1.0])
    indices = helper.make_tensor("where", TensorProto.INT64, (1,), [2])
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [4]))
    return model


REFUSED = {
    "sequence": (
        lambda: net(more=[helper.make_tensor_sequence_value_info("s0", FLOAT, (1, 3))]),
        "input s0: kind must be tensor, not sequence",
    ),
    "text": (lambda: net(more=[info("t", TensorProto.STRING, (1,))]), "input t: elements must be "),
    "float16": (lambda: net(dtype=TensorProto.FLOAT16), "input x: elements must be "),
    "double": (lambda: net(dtype=TensorProto.DOUBLE), "input x: elements must be "),
    "sparse": (with_sparse_weight, "initialiser k: must be dense, not sparse"),
    "no images": (lambda: net(images=0), "input x: extent 0 must be positive, not 0"),
    "outputs alike": (lambda: net(outputs=("c", "c")), "output c: must be named once"),
    "nan": (lambda: net(fill=np.nan), "initialiser w: values must be finite"),
    "channels": (lambda: net(weights=(4, 5, 3, 3)), "model: must run in onnxruntime, which says: "),
}


@pytest.mark.parametrize("case", REFUSED)
def test_quantize_odd_model_refused_with_place_and_reason(case):
    make, wanted = REFUSED[case]
    samples = np.random.default_rng(1).normal(size=(2, 3, 8, 8)).astype(np.float32)
    with pytest.raises(CompileError) as caught:
        quantize_model(make(), samples)
    assert str(caught.value).startswith(wanted)
    assert "\n" not in str(caught.value)
