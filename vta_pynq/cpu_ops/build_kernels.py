"""Builds `vta_pynq.cpu_ops._kernels`, the operators' C kernels, with cffi in API mode.

Nothing is tuned to the machine that builds: the paths for vector extensions carry their own
target attributes and are chosen at run time.
"""

from __future__ import annotations

from pathlib import Path

from cffi import FFI

_ROOT = Path(__file__).resolve().parents[2]
_SOURCES = Path("vta_pynq/cpu_ops/csrc")
# The header that tells which vector extensions there are is the simulator's.
_MACHINE = Path("vta_pynq/sim/csrc")


def _relative(pattern: str) -> list[str]:
    return sorted(str(path.relative_to(_ROOT)) for path in (_ROOT / _SOURCES).glob(pattern))


def _declarations() -> str:
    lines = (_ROOT / _SOURCES / "abi.h").read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if not line.startswith("#"))


ffibuilder = FFI()
ffibuilder.cdef(_declarations())
ffibuilder.set_source(
    "vta_pynq.cpu_ops._kernels",
    '#include "abi.h"',
    sources=_relative("*.c"),
    include_dirs=[str(_SOURCES), str(_MACHINE)],
    depends=[*_relative("*.h"), str(_MACHINE / "machine.h")],
    # Fused products would round differently on each machine; nobody looks at the flags of
    # floating-point exceptions, which would keep comparisons from being vectorised.
    extra_compile_args=["-std=c11", "-O3", "-ffp-contract=off", "-fno-trapping-math"],
)

if __name__ == "__main__":
    import os

    os.chdir(_ROOT)
    ffibuilder.compile(verbose=True)
