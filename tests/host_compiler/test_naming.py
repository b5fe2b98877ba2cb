"""A program's inputs and outputs have the model's own names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from host_compiler import compile_model, quantize_model
from host_compiler.importer import import_model

DIGITS = Path(__file__).parents[2] / "examples" / "digits"


def test_program_outputs_are_named_as_in_the_model():
    images = np.load(DIGITS / "calibration_images.npz")["images"][:8].astype(np.float32) / 8 - 1
    model = quantize_model(DIGITS / "digits_residual.onnx", images).model
    program = compile_model(model, shapes={"batch": 1})
    assert program.inputs == ("image",)
    assert program.outputs == ("scores",)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_integer_outputs_are_named_as_in_the_model(dtype):
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["y"]),
        helper.make_node("Identity", ["y"], ["twice"]),
        helper.make_node("Identity", ["x"], ["same"]),
    ]
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    graph = helper.make_graph(
        nodes,
        "names",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 4))],
        [
            helper.make_tensor_value_info("y", kind, (1, 4)),
            helper.make_tensor_value_info("twice", kind, (1, 4)),
            helper.make_tensor_value_info("same", TensorProto.FLOAT, (1, 4)),
        ],
        [
            onnx.numpy_helper.from_array(np.array(0.5, np.float32), "scale"),
            onnx.numpy_helper.from_array(np.array(3, dtype), "zero"),
        ],
    )
    opset = [helper.make_opsetid("", 17)]
    imported = import_model(helper.make_model(graph, opset_imports=opset, ir_version=8))
    assert imported.outputs[0] == "y"
    assert imported.values["y"].dtype == np.dtype(dtype).name
