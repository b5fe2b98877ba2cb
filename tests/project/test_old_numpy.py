"""The package loads with numpy 1.21, the boards' own, although the tests run with a later one."""

from __future__ import annotations

import ast
import pathlib
from collections.abc import Iterator

import pytest

from tests.project.source_files import ROOT, modules

GENERIC_SINCE_1_22 = {
    # Classes that can be subscripted when the code runs from numpy 1.22 on only.
    "dtype", "flexible", "floating", "generic", "inexact", "integer", "ndarray", "number",
    "signedinteger", "unsignedinteger",
}  # fmt: skip


def _evaluated(node: ast.AST) -> Iterator[ast.AST]:
    """What runs: everything but annotations, which `from __future__` keeps as text."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _evaluated(child)


def _subscripted(source: str) -> list[str]:
    """Subscriptions of numpy's classes that numpy 1.21 would refuse, with their lines."""
    return [
        f"{node.lineno}: {ast.unparse(node)}"
        for node in _evaluated(ast.parse(source))
        if isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Attribute)
        and ast.unparse(node.value.value) in ("np", "numpy")
        and node.value.attr in GENERIC_SINCE_1_22
    ]


@pytest.mark.parametrize("path", modules("vta_pynq"), ids=lambda path: str(path.relative_to(ROOT)))
def test_module_subscripts_no_class_of_numpy_when_it_runs(path: pathlib.Path):
    assert _subscripted(path.read_text(encoding="utf-8")) == []


def test_subscription_outside_annotations_is_found():
    source = "A = npt.NDArray[np.integer[Any]]\ndef f(x: np.dtype[Any]) -> np.dtype[Any]: ...\n"
    assert _subscripted(source) == ["1: np.integer[Any]"]
