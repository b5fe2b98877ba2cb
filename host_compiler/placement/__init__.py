"""Which node runs where, why, and what it is expected to cost."""

from host_compiler.placement.costs import cpu_cycles, packing_cycles
from host_compiler.placement.decide import Decision, Placement, place_nodes, weigh_islands

__all__ = ["Decision", "Placement", "cpu_cycles", "packing_cycles", "place_nodes", "weigh_islands"]
