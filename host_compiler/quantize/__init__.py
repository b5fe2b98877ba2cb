"""Float models to int8 with power-of-two scales."""

from host_compiler.quantize.data import Samples, load_array, load_samples
from host_compiler.quantize.report import LayerNoise, QuantReport
from host_compiler.quantize.static import QuantizedModel, model_inputs, quantize_model

__all__ = [
    "LayerNoise",
    "QuantReport",
    "QuantizedModel",
    "Samples",
    "load_array",
    "load_samples",
    "model_inputs",
    "quantize_model",
]
