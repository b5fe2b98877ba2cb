"""Float models to int8 with power-of-two scales."""

from host_compiler.quantize.data import Samples, load_samples
from host_compiler.quantize.report import LayerNoise, QuantReport
from host_compiler.quantize.static import QuantizedModel, quantize_model

__all__ = [
    "LayerNoise",
    "QuantReport",
    "QuantizedModel",
    "Samples",
    "load_samples",
    "quantize_model",
]
