"""Compiled models through the runtime: PYNQ, buffers, caches, processor steps in between."""

from __future__ import annotations

import numpy as np
import pytest

from host_compiler.compile import compile_graph, make_target
from host_compiler.reference import AccumulatorOverflow, run
from tests.host_compiler.random_graphs import random_graph, random_inputs
from vta_pynq import VtaOverlay
from vta_pynq.config import HwConfig

SEEDS = range(300, 312)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_graph_on_the_overlay_equals_reference(seed):
    print("seed", seed)
    graph = random_graph(seed)
    compilation = compile_graph(graph, make_target(None, "hls-64bit"), candidates=1)
    with VtaOverlay(HwConfig().name).load(compilation.program) as model:
        for again in range(2):  # the second run must not see what the first left behind
            inputs = random_inputs(graph, seed + again)
            try:
                wanted = run(graph, inputs)
            except AccumulatorOverflow:
                pytest.skip("sums of this graph need more than 32 bits")
            found = model.run(*(inputs[name] for name in graph.inputs))
            arrays = found if isinstance(found, tuple) else (found,)
            for name, array in zip(graph.outputs, arrays, strict=True):
                np.testing.assert_array_equal(array, wanted[name])
