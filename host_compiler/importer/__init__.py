"""From ONNX to the compiler's graph."""

from host_compiler.importer.convert import import_model
from host_compiler.importer.source import ModelSource

__all__ = ["ModelSource", "import_model"]
