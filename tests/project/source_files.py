"""The files of the project, with or without git, and the imports of its modules."""

from __future__ import annotations

import ast
import pathlib
import subprocess
from collections.abc import Iterator

__all__ = ["ROOT", "Import", "imports_of", "module_name", "modules", "project_files"]

ROOT = pathlib.Path(__file__).resolve().parents[2]
_BUILT = {".git", "build", "dist", "__pycache__"}

Import = tuple[str, int, bool]
"""Dotted name, line, and whether it happens when the module is imported."""


def project_files() -> list[pathlib.Path]:
    """Every file of the project: what git tracks, or in its absence what lies there."""
    done = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, stdout=subprocess.PIPE, check=False, text=True
    )
    if done.returncode == 0 and done.stdout:
        found = [ROOT / name for name in done.stdout.split("\0") if name]
        return [path for path in found if path.is_file()]
    return [
        path
        for path in sorted(ROOT.rglob("*"))
        if path.is_file()
        and path.suffix not in {".so", ".o", ".pyc"}
        and not _BUILT.intersection(path.relative_to(ROOT).parts)
        and not any(
            part.startswith(".venv") or part.endswith((".egg-info", "_cache"))
            for part in path.relative_to(ROOT).parts
        )
    ]


def modules(*packages: str) -> list[pathlib.Path]:
    """The Python files of these packages."""
    return [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]


def module_name(path: pathlib.Path) -> str:
    """The dotted name of a module file."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def imports_of(path: pathlib.Path) -> Iterator[Import]:
    """The absolute imports of a module, but not those for the type checker alone."""

    def visit(node: ast.AST, at_import: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            yield from ((name.name, node.lineno, at_import) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            # A relative import would escape the rules below; the style has none.
            assert node.level == 0, f"{path}:{node.lineno}: imports must be absolute"
            for name in node.names:
                yield f"{node.module}.{name.name}", node.lineno, at_import
        elif _type_checking(node):
            return
        else:
            inside = at_import and not isinstance(
                node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
            )
            for child in ast.iter_child_nodes(node):
                yield from visit(child, inside)

    yield from visit(ast.parse(path.read_text(encoding="utf-8")), True)
