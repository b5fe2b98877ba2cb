"""Ties of accelerator rescales: to even as ONNX has them, or up on request."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper

from host_compiler.compile import compile_graph, make_target
from host_compiler.importer import import_model
from host_compiler.reference import run
from host_compiler.report import explain
from tests.host_compiler.models import make_model, ort_run
from tests.host_compiler.program_runner import ProgramRunner
from vta_pynq.errors import CompileError


def model_with_ties() -> onnx.ModelProto:
    """Sums of inputs a quarter apart, rescaled by 1/4: every fourth result is a tie."""
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "one", "zero"], ["x"]),
        helper.make_node("DequantizeLinear", ["weights", "one", "zero"], ["w"]),
        helper.make_node("Conv", ["x", "w"], ["sum"], "conv"),
        helper.make_node("QuantizeLinear", ["sum", "four", "zero"], ["y"]),
    ]
    weights = np.eye(16, dtype=np.int8).reshape(16, 16, 1, 1)
    constants = {
        "one": np.float32(1), "four": np.float32(4), "zero": np.int8(0), "weights": weights,
    }  # fmt: skip
    return make_model(nodes, {"q": ("b", (1, 16, 4, 4))}, {"y": "b"}, constants)


@pytest.fixture(scope="module")
def results():
    """Results of both ways, and onnxruntime's, on all 256 values of int8."""
    model = model_with_ties()
    inputs = {"q": np.arange(-128, 128).astype(np.int8).reshape(1, 16, 4, 4)}
    found = {"onnx": ort_run(model, inputs)[0]}
    for ties in ("even", "up"):
        made = compile_graph(
            import_model(model), make_target(None, "hls-64bit"), ties=ties, candidates=1
        )
        found[ties] = ProgramRunner(made.program).run(inputs)[made.program.outputs[0]]
        wanted = run(made.graph, inputs)[made.graph.outputs[0]]
        np.testing.assert_array_equal(found[ties], wanted)
        assert made.program.metadata["ties"] == ties
        found[f"{ties}.text"] = explain(made.program, made.graph, made.placement)
        found[f"{ties}.words"] = made.program.words
    return found


def test_compile_ties_even_equals_onnxruntime(results):
    np.testing.assert_array_equal(results["even"], results["onnx"])


def test_compile_ties_up_adds_one_to_every_other_tie(results):
    values = np.arange(-128, 128)
    step_up = (values % 8 == 2).reshape(1, 16, 4, 4)  # between an even number and the odd above
    difference = results["up"].astype(int) - results["onnx"]
    np.testing.assert_array_equal(difference, step_up.astype(int))


def test_compile_ties_up_takes_fewer_instructions(results):
    assert len(results["up.words"]) < len(results["even.words"])


def test_explain_counts_ties(results):
    last = {ties: results[f"{ties}.text"].splitlines()[-1] for ties in ("even", "up")}
    assert last["even"] == "ties (even): 1 of 1 rescales round to even, 0 up"
    assert last["up"] == "ties (up): 0 of 1 rescales round to even, 1 up"


def test_compile_unknown_ties_are_refused():
    graph = import_model(model_with_ties())
    with pytest.raises(CompileError, match="option ties: value must be even or up, not 'odd'"):
        compile_graph(graph, make_target(None, "hls-64bit"), ties="odd")
