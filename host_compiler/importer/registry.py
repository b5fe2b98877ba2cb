"""Which function imports which ONNX operator."""

from __future__ import annotations

from collections.abc import Callable

from host_compiler.importer.builder import GraphBuilder
from host_compiler.importer.source import OnnxNode

__all__ = ["HANDLERS", "handles"]

Handler = Callable[[GraphBuilder, OnnxNode], None]

HANDLERS: dict[tuple[str, str], Handler] = {}
"""(domain, operator) to handler; the domain of standard ONNX is ''."""


def handles(*operators: str, domain: str = "") -> Callable[[Handler], Handler]:
    """Register the decorated function for operators of a domain."""

    def register(handler: Handler) -> Handler:
        for operator in operators:
            assert (domain, operator) not in HANDLERS, operator
            HANDLERS[domain, operator] = handler
        return handler

    return register
