"""The passes in order, with the verifier after each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from host_compiler.ir import Graph
from host_compiler.passes.dead import remove_dead
from host_compiler.passes.flatten import absorb_flatten
from host_compiler.passes.pools import fuse_pools
from host_compiler.passes.requants import legalise_requants
from host_compiler.passes.reshapes import fold_reshapes
from host_compiler.passes.rounding import legalise_rounding

__all__ = ["Arithmetic", "prepare"]


class Arithmetic(Protocol):
    """What the passes must know of a target."""

    @property
    def multiplies(self) -> bool:
        """Whether the ALU multiplies (`Capability.ALU_MUL`)."""


def prepare(graph: Graph, target: Arithmetic, *, ties_up: bool = False) -> Graph:
    """Bring a graph into the form that the target computes exactly.

    Every accumulating node of the result that has stages runs on the accelerator as it stands;
    a rescale that the target cannot do is a processor operator `requantize` behind a node that
    yields its accumulators (docs/quantization.md). The reference of the result is what the
    program computes, bit for bit.

    Parameters
    ----------
    graph
        As the importer or a user makes it; not changed.
    target
        What the hardware's ALU can do.
    ties_up
        Round all ties of accelerator steps upwards: fewer ALU steps in models that have ties
        (those of `vta quantize` have none), off by 1 from ONNX in each of them.

    Raises
    ------
    GraphError
        The given graph, or what a pass made of it, breaks a rule.
    """
    graph.verify()
    passes: tuple[Callable[[Graph], Graph], ...] = (
        fold_reshapes,
        absorb_flatten,
        remove_dead,
        lambda g: legalise_requants(g, multiplies=target.multiplies),
        fuse_pools,
        lambda g: legalise_rounding(g, ties_up=ties_up),
        fold_reshapes,
        remove_dead,
    )
    for step in passes:
        graph = step(graph)
        graph.verify()
    return graph
