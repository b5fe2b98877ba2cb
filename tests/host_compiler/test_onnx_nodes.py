"""The ONNX standard's own node tests run through the whole stack.

As they are (real numbers, on the processor) against the standard's expected results; and wrapped
into int8 models, which put them on the accelerator, against onnxruntime.
"""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from host_compiler.compile import compile_model
from tests.host_compiler.onnx_nodes import node_tests, quantised
from tests.host_compiler.program_runner import ProgramRunner
from vta_pynq.errors import VtaError

PLAIN = onnxruntime.SessionOptions()
PLAIN.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
PLAIN.log_severity_level = 4

REAL = {
    "Add": 5, "ArgMax": 16, "AveragePool": 13, "Concat": 12, "Conv": 6, "Div": 7, "Exp": 2,
    "Flatten": 9, "Gather": 4, "Gemm": 11, "GlobalAveragePool": 2, "GlobalMaxPool": 2,
    "LeakyRelu": 3, "LogSoftmax": 7, "MatMul": 7, "MaxPool": 12, "Mul": 6, "Relu": 1,
    "Sigmoid": 2, "Softmax": 7, "Sqrt": 2, "Sub": 6, "Tanh": 2, "Transpose": 7,
}  # fmt: skip
"""How many tests of each operator pass at least; the others are refused with a reason."""

WRAPPED = {
    "Add": 2, "AveragePool": 12, "Clip": 9, "Concat": 12, "Conv": 6, "ConvTranspose": 9,
    "Flatten": 9, "Gemm": 10, "GlobalAveragePool": 2, "LeakyRelu": 3, "MatMul": 7, "MaxPool": 10,
    "Pad": 3, "Relu": 1, "Resize": 15, "Sub": 3,
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("operator", REAL)
def test_node_tests_of_the_standard_give_its_results(operator):
    passed = []
    for test in node_tests(operator):
        try:
            program = compile_model(test.model, name=test.name)
        except VtaError as error:
            print(f"{test.name}: refused: {error}")
            continue
        arrays = test.inputs
        found = ProgramRunner(program).run({name: arrays[name] for name in program.inputs})
        for mine, wanted in zip(found.values(), test.outputs, strict=True):
            np.testing.assert_allclose(mine, wanted, rtol=1e-3, atol=1e-6, err_msg=test.name)
        passed.append(test.name)
    print(operator, len(passed), "passed")
    assert len(passed) >= REAL[operator]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("operator", WRAPPED)
def test_node_tests_as_int8_models_equal_onnxruntime(operator):
    passed, differing, elements = [], 0, 0
    for test in node_tests(operator):
        model = quantised(test)
        if model is None:
            continue
        arrays = test.inputs
        try:
            program = compile_model(model, name=test.name, candidates=1)
        except VtaError as error:
            print(f"{test.name}: refused: {error}")
            continue
        given = {name: arrays[name] for name in program.inputs}
        try:
            session = onnxruntime.InferenceSession(model.SerializeToString(), PLAIN)
            (wanted,) = session.run(None, given)
        except Exception as error:  # onnxruntime does not run every test of the standard
            print(f"{test.name}: onnxruntime: {error}")
            continue
        (found,) = ProgramRunner(program).run(given).values()
        scale = [t for t in model.graph.initializer if t.name.endswith(".scale")][-1]
        step = np.frombuffer(scale.raw_data, np.float32)[0]
        distance = np.abs(found - wanted) / step
        assert distance.max(initial=0) <= 1, test.name
        differing += int(np.count_nonzero(distance))
        elements += found.size
        passed.append(test.name)
    print(operator, len(passed), "passed,", differing, "of", elements, "elements differ")
    assert len(passed) >= WRAPPED[operator]
