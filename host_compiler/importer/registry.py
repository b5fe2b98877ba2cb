"""Which function imports which ONNX operator."""

from __future__ import annotations

from collections.abc import Callable

from host_compiler.importer.builder import GraphBuilder
from host_compiler.importer.source import OnnxNode
from vta_pynq.errors import CompileError

__all__ = ["HANDLERS", "handles"]

Handler = Callable[[GraphBuilder, OnnxNode], None]

HANDLERS: dict[tuple[str, str], Handler] = {}
"""(domain, operator) to handler; the domain of standard ONNX is ''."""


def handles(
    *operators: str, domain: str = "", replace: bool = False
) -> Callable[[Handler], Handler]:
    """Register the decorated function for operators of a domain.

    Parameters
    ----------
    operators
        ONNX operators, such as "HardSigmoid".
    domain
        Their domain; "" is that of the standard.
    replace
        Whether it takes the place of a function that is registered already.

    Raises
    ------
    CompileError
        One is registered already; nothing was changed.
    """

    def register(handler: Handler) -> Handler:
        taken = [operator for operator in operators if (domain, operator) in HANDLERS]
        if taken and not replace:
            raise CompileError(
                f"operator {taken[0]}: function must be the only one, and there is one already; "
                "pass replace=True to take its place"
            )
        for operator in operators:
            HANDLERS[domain, operator] = handler
        return handler

    return register
