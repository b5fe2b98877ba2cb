"""Builds `vta_pynq.sim._engine`, the C engine, with cffi in API mode.

Nothing is tuned to the machine that builds: the paths for vector extensions carry their own
target attributes and are chosen at run time.
"""

from __future__ import annotations

from pathlib import Path

from cffi import FFI

_ROOT = Path(__file__).resolve().parents[2]
_SOURCES = Path("vta_pynq/sim/csrc")


def _relative_sources() -> list[str]:
    return sorted(str(path.relative_to(_ROOT)) for path in (_ROOT / _SOURCES).glob("*.c"))


def _declarations() -> str:
    lines = (_ROOT / _SOURCES / "abi.h").read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if not line.startswith("#"))


ffibuilder = FFI()
ffibuilder.cdef(_declarations())
ffibuilder.set_source(
    "vta_pynq.sim._engine",
    '#include "abi.h"',
    sources=_relative_sources(),
    include_dirs=[str(_SOURCES)],
    depends=sorted(str(p.relative_to(_ROOT)) for p in (_ROOT / _SOURCES).rglob("*.h")),
    extra_compile_args=["-std=c11", "-O3", "-fno-strict-aliasing"],
)

if __name__ == "__main__":
    import os

    os.chdir(_ROOT)
    ffibuilder.compile(verbose=True)
