"""An operator of a user's own is lowered, fused, and computes what onnxruntime computes."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from host_compiler.compile import compile_model
from host_compiler.onnx_session import exact_session
from host_compiler.operators import (
    HANDLERS,
    handles,
    on_processor,
    pending_input,
    plus_constant,
    refuse,
    set_pending,
)
from tests.host_compiler.program_runner import ProgramRunner
from vta_pynq.errors import CompileError


def hard_sigmoid(graph, node):
    """min(max(alpha * x + beta, 0), 1), as part of the sum in front."""
    pending = pending_input(graph, node)
    alpha = float(np.float32(node.attributes.get("alpha", 0.2)))
    beta = float(np.float32(node.attributes.get("beta", 0.5)))
    if pending is None or not pending.is_linear or alpha <= 0:
        raise refuse(node, "input must be a sum that nobody else reads, with a positive slope")
    scaled = plus_constant(
        dataclasses.replace(pending, scale=pending.scale * alpha), np.array(beta)
    )
    if scaled is None:
        raise refuse(node, "input must have room for the constant")
    set_pending(graph, node, dataclasses.replace(scaled, low=0.0, high=1.0))


@pytest.fixture
def registered():
    handles("HardSigmoid")(hard_sigmoid)
    yield
    del HANDLERS["", "HardSigmoid"]


def model(seed: int) -> onnx.ModelProto:
    """QuantizeLinear, Conv, HardSigmoid, QuantizeLinear: scales are powers of two."""
    print(f"seed {seed}")
    random = np.random.default_rng(seed)
    constants = {
        "w": random.integers(-128, 128, (20, 16, 3, 3), np.int8),
        "ws": np.float32(2**-6),
        "b": random.integers(-3000, 3000, 20, np.int32),
        "xs": np.float32(2**-5),
        "bs": np.float32(2**-11),
        "ys": np.float32(2**-7),
        "z": np.int8(0),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "xs", "z"], ["xr"]),
        helper.make_node("DequantizeLinear", ["w", "ws", "z"], ["wr"]),
        helper.make_node("DequantizeLinear", ["b", "bs"], ["br"]),
        helper.make_node("Conv", ["xr", "wr", "br"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("HardSigmoid", ["c"], ["h"], alpha=0.03125, beta=0.5),
        helper.make_node("QuantizeLinear", ["h", "ys", "z"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes, "gate",
        [helper.make_tensor_value_info("x", TensorProto.INT8, (1, 16, 9, 9))],
        [helper.make_tensor_value_info("y", TensorProto.INT8, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_unknown_operator_is_refused_by_name():
    with pytest.raises(CompileError, match="HardSigmoid"):
        compile_model(model(0))


@pytest.mark.parametrize("seed", range(3))
def test_registered_operator_joins_the_convolution_and_equals_onnxruntime(registered, seed):
    quantised = model(seed)
    program = compile_model(quantised, candidates=1)
    x = np.random.default_rng(seed + 100).integers(-128, 128, (1, 16, 9, 9), np.int8)
    (found,) = ProgramRunner(program).run({"x": x}).values()
    (wanted,) = exact_session(quantised, optimised=False).run(None, {"x": x})
    assert 0 < np.mean(wanted == 127) < 1  # both ends are clipped, and something lies between
    assert len(np.unique(wanted)) > 20
    np.testing.assert_array_equal(found, wanted)
    layers = [step for step in program.steps if not hasattr(step, "op")]
    assert len(layers) == 1


def test_second_function_for_an_operator_is_refused_unless_it_replaces(registered):
    with pytest.raises(CompileError) as caught:
        handles("HardSigmoid")(on_processor)
    assert str(caught.value) == (
        "operator HardSigmoid: function must be the only one, and there is one already; "
        "pass replace=True to take its place"
    )
    assert HANDLERS["", "HardSigmoid"] is hard_sigmoid
    handles("HardSigmoid", replace=True)(on_processor)
    assert HANDLERS["", "HardSigmoid"] is on_processor
