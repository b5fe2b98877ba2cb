"""The topologies of the examples at full size: one stream each, equal to the reference."""

from __future__ import annotations

import numpy as np
import pytest

from examples.models.topologies import TOPOLOGIES, build
from host_compiler.compile import compile_graph, make_target
from host_compiler.importer import import_model
from host_compiler.quantize import quantize_model
from host_compiler.reference import run
from tests.host_compiler.program_runner import ProgramRunner
from vta_pynq.program import VtaStep
from vta_pynq.timing import simulate

MOST_CYCLES = {"resnet18": 10_500_000}


def check_topology(name: str, size: int | None, candidates: int) -> int:
    """Compile one, hold it against the reference; the cycles it takes."""
    model = build(name, size)
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    random = np.random.default_rng(sum(map(ord, name)))
    images = random.uniform(-1, 1, (2, *shape[1:])).astype(np.float32)
    graph = import_model(quantize_model(model, images).model)
    compilation = compile_graph(graph, make_target(None, "hls-64bit"), candidates=candidates)
    program = compilation.program
    assert not compilation.notes, "bring the shipped schedules up to date: scripts/tune_shipped.py"
    assert sum(isinstance(step, VtaStep) for step in program.steps) == 1
    inputs = {graph.inputs[0]: images[:1]}
    wanted = run(compilation.graph, inputs)
    found = ProgramRunner(program).run(inputs)
    for value, output in zip(compilation.graph.outputs, program.outputs, strict=True):
        assert len(np.unique(wanted[value])) > 20, "the outputs must tell something"
        np.testing.assert_array_equal(found[output], wanted[value])
    return sum(simulate(s, program.profile).total_cycles for s in program.streams())


def test_small_topology_equals_reference():
    check_topology("tiny_yolo", 64, 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", TOPOLOGIES)
def test_full_size_topology_equals_reference(name):
    cycles = check_topology(name, None, 8)
    print(name, cycles, "cycles")
    assert cycles <= MOST_CYCLES.get(name, cycles)
