"""Generators: headers in C, C++ and Verilog, and reference documents, from the tables."""

from vta_pynq.isa.emit.c_header import c_header
from vta_pynq.isa.emit.cpp_header import cpp_header
from vta_pynq.isa.emit.reference import reference
from vta_pynq.isa.emit.register_headers import control_header, pragma_header
from vta_pynq.isa.emit.register_reference import register_reference

__all__ = [
    "OUTPUTS",
    "c_header",
    "control_header",
    "cpp_header",
    "pragma_header",
    "reference",
    "register_reference",
]

OUTPUTS = {
    "vta_pynq/isa/generated/vta_isa.h": c_header,
    "hls/generated/vta_isa.hpp": cpp_header,
    "hls/generated/vta_registers.hpp": pragma_header,
    "hls/generated/vta_control_regs.vh": control_header,
    "docs/generated/isa.md": reference,
    "docs/generated/registers.md": register_reference,
}
"""Each generated file, by its path in the repository, and the function that gives its text."""
