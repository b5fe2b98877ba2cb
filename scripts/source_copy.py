"""A copy of the sources in another folder, for work that must leave the tree alone."""

from __future__ import annotations

import pathlib
import shutil

__all__ = ["ROOT", "copy_sources"]

ROOT = pathlib.Path(__file__).resolve().parent.parent

_BUILT = (
    ".git",
    ".venv*",
    "build",
    "dist",
    "*.egg-info",
    "__pycache__",
    ".*_cache",
    ".hypothesis",
    "*.o",
)
_EXTENSIONS = ("*.so",)


def copy_sources(folder: pathlib.Path, *, extensions: bool) -> None:
    """Copy what belongs to the project into `folder`, with or without the built extensions."""
    ignored = _BUILT if extensions else (*_BUILT, *_EXTENSIONS)
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*ignored), dirs_exist_ok=True)
