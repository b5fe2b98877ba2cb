"""Whole models: the program on the engine equals the reference, bit for bit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from host_compiler.compile import compile_graph, compile_model, make_target
from host_compiler.importer import import_model
from host_compiler.ir import CpuOp, Graph, Value
from host_compiler.onnx_session import exact_session
from host_compiler.reference import AccumulatorOverflow, run
from host_compiler.report import explain, summary
from tests.host_compiler.digits import NETWORKS, images, quantised
from tests.host_compiler.program_runner import ProgramRunner
from tests.host_compiler.random_graphs import random_graph, random_inputs
from vta_pynq.config import Capability, HwConfig
from vta_pynq.errors import CompileError, ConfigError
from vta_pynq.lint import lint_stream
from vta_pynq.program import CpuStep, Program, VtaStep

CONFIGS = (
    "1x16_i8w8a32_15_15_18_17",
    "2x16_i8w8a32_15_15_18_17",
    "4x8_i8w8a32_15_15_18_17",
    "1x32_i8w8a32_15_15_18_17",
    "1x8_i8w8a32_15_13_14_14",
    "1x16_i8w8a32_12_11_13_13",
    "2x32_i8w8a32_14_14_16_16",
    "1x16_i8w8a32_13_14_16_15",
    "4x16_i8w8a32_15_15_17_17",
)
PROFILES = ("hls-64bit", "functional", "chisel-64bit")


def compile_quickly(model, **options):
    return compile_model(model, shapes={"batch": 1}, candidates=1, **options)


def assert_exact(compilation, inputs):
    wanted = run(compilation.graph, inputs)
    found = ProgramRunner(compilation.program).run(inputs)
    for name, output in zip(compilation.graph.outputs, compilation.program.outputs, strict=True):
        np.testing.assert_array_equal(found[output], wanted[name])


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("config", CONFIGS)
def test_compile_digits_on_any_configuration_equals_reference(network, config):
    graph = import_model(quantised(network), {"batch": 1})
    compilation = compile_graph(graph, make_target(config, "hls-64bit"), candidates=1)
    for image in images()[:3]:
        assert_exact(compilation, {"image": image[None]})


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("batch", [1, 3])
def test_compile_digits_for_any_profile_equals_reference(profile, batch):
    graph = import_model(quantised("residual", False), {"batch": batch})
    compilation = compile_graph(graph, make_target(None, profile), candidates=1)
    assert_exact(compilation, {"image": images()[:batch]})


def test_compile_scales_of_any_kind_equals_reference_with_rescale_on_processor():
    graph = import_model(quantised("depthwise", power_of_two=False), {"batch": 1})
    compilation = compile_graph(graph, make_target(None, "hls-64bit"), candidates=1)
    ops = {step.op for step in compilation.program.steps if isinstance(step, CpuStep)}
    assert "requantize" in ops
    for image in images()[:2]:
        assert_exact(compilation, {"image": image[None]})


@pytest.mark.parametrize("network", NETWORKS)
def test_compile_scales_of_any_kind_on_a_multiplying_alu_stay_there(network):
    graph = import_model(quantised(network, power_of_two=False), {"batch": 1})
    config = HwConfig().with_capabilities(Capability.ALU_MUL)
    compilation = compile_graph(graph, make_target(config, "hls-64bit"), candidates=1)
    ops = {step.op for step in compilation.program.steps if isinstance(step, CpuStep)}
    assert "requantize" not in ops
    for image in images()[:2]:
        assert_exact(compilation, {"image": image[None]})


@pytest.mark.parametrize("seed", range(36))
def test_compile_random_graph_equals_reference(seed):
    print("seed", seed)
    graph, inputs = random_graph(seed), random_inputs(random_graph(seed), seed)
    profile = PROFILES[seed // len(CONFIGS) % 2]
    compilation = compile_graph(
        graph, make_target(CONFIGS[seed % len(CONFIGS)], profile), candidates=1
    )
    try:
        wanted = run(graph, inputs)
    except AccumulatorOverflow:
        pytest.skip("sums of this graph need more than 32 bits")
    prepared = run(compilation.graph, inputs)
    for name in graph.outputs:
        np.testing.assert_array_equal(prepared[name], wanted[name])
    assert_exact(compilation, inputs)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1200))
def test_compile_larger_random_graph_equals_reference(seed):
    print("seed", seed)
    graph = random_graph(seed, 16)
    inputs = random_inputs(graph, seed)
    compilation = compile_graph(
        graph, make_target(CONFIGS[seed % len(CONFIGS)], "hls-64bit"), candidates=1
    )
    try:
        assert_exact(compilation, inputs)
    except AccumulatorOverflow:
        pytest.skip("sums of this graph need more than 32 bits")


def test_compile_network_without_processor_operators_is_one_stream():
    program = compile_quickly(quantised("depthwise"))
    kinds = [type(step) for step in program.steps]
    assert kinds == [CpuStep, VtaStep, CpuStep]
    assert [s.op for s in program.steps if isinstance(s, CpuStep)] == ["pack_first", "unpack"]


def test_compile_splits_a_long_phase_between_layers(monkeypatch):
    monkeypatch.setattr("host_compiler.emission.INSN_LIMIT", 60)
    graph = import_model(quantised("residual"), {"batch": 1})
    compilation = compile_graph(graph, make_target(None, "hls-64bit"), candidates=1)
    submissions = [step for step in compilation.program.steps if isinstance(step, VtaStep)]
    assert len(submissions) > 2
    assert_exact(compilation, {"image": images()[:1]})


def test_compile_same_input_gives_same_bytes():
    first = compile_quickly(quantised("depthwise")).to_bytes()
    assert compile_quickly(quantised("depthwise").SerializeToString()).to_bytes() == first


def test_compile_by_default_times_several_schedules_and_gives_same_bytes():
    graph = random_graph(7, 4)
    first = compile_model(graph)
    assert compile_model(random_graph(7, 4)) == first


def test_compile_in_another_process_gives_same_bytes():
    """Nothing may depend on the order of a set: strings hash differently in every process."""
    code = (
        "from host_compiler.compile import compile_model\n"
        "from tests.host_compiler.random_graphs import random_graph\n"
        "print(compile_model(random_graph(11), candidates=1).content_hash)"
    )
    hashes = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2], check=True, capture_output=True, text=True,
        ).stdout
        for seed in ("1", "77")
    }  # fmt: skip
    assert hashes == {f"{compile_model(random_graph(11), candidates=1).content_hash}\n"}


def test_compile_streams_pass_the_linter():
    program = compile_quickly(quantised("residual"))
    for stream in program.streams():
        assert [
            f for f in lint_stream(stream, program.profile).findings if f.severity != "info"
        ] == []


def test_compile_program_survives_its_file():
    program = compile_quickly(quantised("depthwise"))
    assert Program.load(program.to_bytes()) == program
    image = images()[:1]
    again = ProgramRunner(Program.load(program.to_bytes())).run({"image": image})
    wanted = ProgramRunner(program).run({"image": image})
    np.testing.assert_array_equal(*(next(iter(found.values())) for found in (again, wanted)))


@pytest.mark.parametrize("network", NETWORKS)
def test_compile_accuracy_is_that_of_onnxruntime(network):
    model = quantised(network)
    program = compile_quickly(model)
    session = exact_session(model)
    runner = ProgramRunner(program, strict=False)
    differing = total = 0
    for image in images()[:100]:
        (found,) = runner.run({"image": image[None]}).values()
        (wanted,) = session.run(None, {"image": image[None]})
        step = np.abs(found - wanted)
        differing += np.count_nonzero(step)
        total += step.size
    assert differing <= total // 1000


def test_compile_labels_name_every_layer():
    program = compile_quickly(quantised("residual"))
    on_device = {layer.name for layer in program.layers if layer.op[0].isupper()}
    assert {label.name for label in program.labels} == on_device


def test_explain_names_place_cycles_and_reason_of_each_node():
    model = quantised("residual")
    graph = import_model(model, {"batch": 1})
    compilation = compile_graph(graph, make_target(None, "hls-64bit"), candidates=1)
    lines = explain(compilation.program, compilation.graph, compilation.placement).splitlines()
    assert lines[0].split() == ["where", "cycles", "operator", "why", "nodes"]
    assert {line.split()[0] for line in lines[1:-1]} <= {"accelerator", "processor", "nowhere"}
    assert lines[-1].startswith("ties (even): ")
    text = "\n".join(lines)
    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm", "Add", "AveragePool", "Relu"):
            assert node.name in text, node.name
    assert "accelerator in 1 submission" in summary(compilation.program)


def test_compile_impossible_configuration_is_refused():
    with pytest.raises(ConfigError):
        compile_model(quantised("residual"), "1x16_nonsense", shapes={"batch": 1})


def test_compile_other_widths_are_refused():
    with pytest.raises(CompileError, match=r"input, weight and accumulator must have"):
        compile_model(quantised("residual"), "1x16_i4w4a32_13_13_16_16", shapes={"batch": 1})


def test_compile_damaged_model_is_refused():
    data = quantised("residual").SerializeToString()
    with pytest.raises(CompileError):
        compile_model(data[: len(data) // 2], shapes={"batch": 1})


def identity_graph(name="x", shape=(1, 4), outputs=("y",)):
    values = [Value(name, shape, "float32"), *(Value(y, shape, "float32") for y in set(outputs))]
    nodes = [CpuOp(y, (name,), (y,), op="relu") for y in sorted(set(outputs))]
    return Graph("small", values, nodes, [name], list(outputs))


def test_compile_without_accelerator_layers_has_no_instructions():
    compilation = compile_graph(identity_graph(), make_target(None, "hls-64bit"))
    assert len(compilation.program.words) == 0
    assert "quantise the model first" in summary(compilation.program)
    assert_exact(compilation, {"x": np.array([[-1, 2, -3, 4]], np.float32)})


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (identity_graph("x" * 300), "name must be printable and at most 200 characters"),
        (identity_graph("x\x1b[2J"), "name must be printable"),
        (identity_graph(shape=(1, 0)), "x must have elements and at most 8 dimensions"),
        (identity_graph(shape=(1,) * 9), "x must have elements and at most 8 dimensions"),
        (identity_graph(outputs=("y", "y")), "inputs and outputs must differ"),
    ],
)
def test_compile_what_a_program_has_no_place_for_is_refused(graph, message):
    with pytest.raises(CompileError, match=message):
        compile_model(graph)


def test_compile_layer_that_does_not_fit_is_refused_with_its_name():
    """One tile of weights and one input element must at least have room."""
    config = "1x16_i8w8a32_9_4_8_6"
    with pytest.raises(CompileError, match=r"layer .*1x16_i8w8a32_9_4_8_6"):
        compile_model(quantised("residual"), config, shapes={"batch": 1})
