"""One layer in normal form to instructions."""

from host_compiler.lower.constants import Constant
from host_compiler.lower.plan import LayerPlan, declare_constants, emit_layer, lower_layer
from host_compiler.lower.target import Target

__all__ = ["Constant", "LayerPlan", "Target", "declare_constants", "emit_layer", "lower_layer"]
