"""Times of ONNX operators by onnxruntime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from host_compiler.onnx_times import _by_operator, operator_times
from host_compiler.tools import compile_file, time_operators
from vta_pynq.errors import CompileError


def _model(dtype: int = TensorProto.FLOAT) -> bytes:
    """relu(x) twice and a sum, on a dynamic batch."""
    shape = ["batch", 4]
    graph = helper.make_graph(
        [
            helper.make_node("Relu", ["x"], ["a"], "first"),
            helper.make_node("MatMul", ["a", "w"], ["b"], "product"),
            helper.make_node("Sigmoid", ["b"], ["y"], "last"),
        ],
        "g",
        [helper.make_tensor_value_info("x", dtype, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])],
        [onnx.numpy_helper.from_array(np.ones((4, 3), np.float32), "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return bytes(model.SerializeToString())


def test_operator_times_names_the_operators_of_the_model():
    seconds, how = operator_times(_model(), {"batch": 5}, repeat=2)
    assert set(seconds) == {"Relu", "MatMul", "Sigmoid"}
    assert all(value >= 0 for value in seconds.values())
    assert how.startswith("measured, onnxruntime ") and "on 1 thread, fastest of 2 runs" in how


def test_operator_times_fastest_run_of_each_node_counts():
    def event(name, op, us):
        return {"cat": "Node", "name": f"{name}_kernel_time", "dur": us, "args": {"op_name": op}}

    events = [
        event("a", "Conv", 900), event("b", "Conv", 50), event("c", "Add", 70),
        event("a", "Conv", 30), event("b", "Conv", 10), event("c", "Add", 8),
        event("a", "Conv", 20), event("b", "Conv", 40), event("c", "Add", 9),
        {"cat": "Session", "name": "model_run", "dur": 5000, "args": {}},
    ]  # fmt: skip
    seconds = _by_operator(events, 2)
    assert seconds == pytest.approx({"Conv": 30e-6, "Add": 8e-6})
    assert list(seconds) == ["Conv", "Add"]


def test_operator_times_unknown_input_type_is_refused():
    with pytest.raises(CompileError, match=r"input x must be one of tensor\(float\)"):
        operator_times(_odd_input())


def _odd_input() -> bytes:
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.STRING, [1])],
        [helper.make_tensor_value_info("y", TensorProto.STRING, [1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return bytes(model.SerializeToString())


def test_operator_times_damaged_model_is_refused(tmp_path: Path):
    path = tmp_path / "bad.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(CompileError) as caught:
        operator_times(path)
    assert str(caught.value).startswith(f"model {path}: onnxruntime must be able to run it: ")
    assert str(caught.value).endswith("; check the model")


def test_operator_times_no_runs_is_refused():
    with pytest.raises(CompileError) as caught:
        operator_times(_model(), repeat=0)
    assert str(caught.value) == "option repeat: value must be at least 1, not 0"


def test_tools_take_the_texts_of_the_command_line(tmp_path: Path):
    path = tmp_path / "net.onnx"
    path.write_bytes(_model())
    seconds, _ = time_operators(str(path), ["batch=2"], 1)
    assert "MatMul" in seconds
    assert compile_file(str(path), ["batch=2"], None).inputs == ("x",)
    with pytest.raises(CompileError, match="option --shape: value must be NAME=N"):
        compile_file(str(path), ["batch"], None)
