"""Generators: C header, C++ header and reference document from the instruction table."""

from vta_pynq.isa.emit.c_header import c_header
from vta_pynq.isa.emit.cpp_header import cpp_header
from vta_pynq.isa.emit.reference import reference

__all__ = ["OUTPUTS", "c_header", "cpp_header", "reference"]

OUTPUTS = {
    "vta_pynq/isa/generated/vta_isa.h": c_header,
    "hls/generated/vta_isa.hpp": cpp_header,
    "docs/generated/isa.md": reference,
}
"""Each generated file, by its path in the repository, and the function that gives its text."""
