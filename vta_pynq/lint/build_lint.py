"""Builds the checker's C core, the extension module `vta_pynq.lint._lint`."""

from __future__ import annotations

import enum
import pathlib

from cffi import FFI

from vta_pynq.isa.table import AluOp, MemType, Opcode

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = pathlib.Path(__file__).resolve().parent.relative_to(ROOT) / "csrc"
SOURCES = (
    "run",
    "network",
    "tokens",
    "fields",
    "moves",
    "dram",
    "sram",
    "loops",
    "hazards",
    "shifts",
)


def _macros(prefix: str, values: type[enum.IntEnum]) -> list[tuple[str, str]]:
    """The numbers of the instruction table as macros, so that C states none of them."""
    return [(f"{prefix}_{value.name}", str(int(value))) for value in values]


ffibuilder = FFI()
ffibuilder.cdef((ROOT / FOLDER / "lint_api.h").read_text(encoding="utf-8"))
ffibuilder.set_source(
    "vta_pynq.lint._lint",
    '#include <stdint.h>\n#include "lint_api.h"\n',
    sources=[(FOLDER / f"lint_{name}.c").as_posix() for name in SOURCES],
    depends=[(FOLDER / name).as_posix() for name in ("lint.h", "lint_api.h", "lint_network.h")],
    include_dirs=[FOLDER.as_posix()],
    define_macros=[*_macros("OP", Opcode), *_macros("MEM", MemType), *_macros("ALU", AluOp)],
    extra_compile_args=["-std=c11", "-O2", "-Wall", "-Wextra"],
)

if __name__ == "__main__":
    ffibuilder.compile(verbose=True)
