"""Builds `vta_pynq.timing._cycles`, the event engine of the cycle model."""

from __future__ import annotations

import pathlib
import re

import cffi

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = "vta_pynq/timing/csrc"

_PREPROCESSOR = re.compile(r"^#.*$", re.MULTILINE)
_COMMENT = re.compile(r"//.*$", re.MULTILINE)


def _declarations() -> str:
    """The header as cffi reads it: no preprocessor lines, no comments."""
    text = (ROOT / SOURCES / "engine.h").read_text(encoding="utf-8")
    return _COMMENT.sub("", _PREPROCESSOR.sub("", text))


ffibuilder = cffi.FFI()
ffibuilder.cdef(_declarations())
ffibuilder.set_source(
    "vta_pynq.timing._cycles",
    '#include "engine.h"',
    sources=[f"{SOURCES}/engine.c"],
    include_dirs=[SOURCES],
    depends=[f"{SOURCES}/engine.h"],
    extra_compile_args=["-std=c11", "-O2", "-Wall", "-Wextra"],
)

if __name__ == "__main__":
    ffibuilder.compile(tmpdir=str(ROOT), verbose=True)
