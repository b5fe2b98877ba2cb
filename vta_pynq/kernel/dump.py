"""What the debug options write: instructions and micro-ops as text."""

from __future__ import annotations

from typing import TextIO

from vta_pynq.isa.encode import decode, decode_uops
from vta_pynq.isa.mnemonic import format_insn
from vta_pynq.kernel.kernel import Kernel

__all__ = ["dump_insns", "dump_uops"]


def dump_insns(kernel: Kernel, out: TextIO) -> None:
    """Write each instruction as the disassembler shows it, and the buffer that it addresses."""
    pairs = zip(kernel.reloc_insn.tolist(), kernel.reloc_buffer.tolist(), strict=True)
    names = {insn: kernel.buffers[buffer].name for insn, buffer in pairs}
    ends = {end for _, end in kernel.submissions}
    labels = {label.begin: label.name for label in kernel.labels}
    records = decode(kernel.words, kernel.config)
    fields = records.dtype.names or ()
    for index, record in enumerate(records.tolist()):
        if index in labels:
            out.write(f"; {labels[index]}\n")
        values = dict(zip(fields, record, strict=True))
        place = f"  ; {names[index]}[{values['dram_base']}]" if index in names else ""
        line = format_insn(values["opcode"], values, None, 0)
        out.write(f"{index:6d}  {line}{place}\n")
        if index + 1 in ends:
            out.write("; end of submission\n")


def dump_uops(kernel: Kernel, out: TextIO) -> None:
    """Write each micro-op of the kernel's buffer: number, destination, source, weight."""
    for number, (dst, src, wgt) in enumerate(decode_uops(kernel.uops, kernel.config).tolist()):
        out.write(f"{number:6d}  dst {dst} src {src} wgt {wgt}\n")
