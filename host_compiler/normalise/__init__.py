"""From graph nodes to the accelerator's normal form (`host_compiler.layer`)."""

from host_compiler.normalise.layers import LAYER_NODES, NotExact, make_layer

__all__ = ["LAYER_NODES", "NotExact", "make_layer"]
