"""The registers of the project's own design: four HLS blocks, and the control block beside them.

Offsets are pinned in the HLS design (`offset=` of its pragmas, from the header that is generated
from here), so that they do not depend on the release of the tool. Names are those of the
arguments in `hls/src/tops.hpp`.
"""

from __future__ import annotations

from types import MappingProxyType

from vta_pynq.isa.control_block import CONTROL, HARDWARE_ERRORS
from vta_pynq.isa.hls_registers import AP_CTRL_HS, base, output, value
from vta_pynq.isa.register_types import AddressMap, Design, IpBlock, Master, Register
from vta_pynq.isa.table import Module

__all__ = ["VTA1"]

_FIRST = 0x10
_INPUT_BYTES = 0x08
# Vivado HLS puts the next register 8 bytes behind an output, some releases of Vitis HLS 16.
_OUTPUT_BYTES = 0x10

_EXECUTED = "instructions that were executed; wraps"
_BUSY = "turns of the loops with an initiation interval of 1; wraps"
_WAITED = "cycles that were spent waiting for tokens; wraps"


def _block(
    module: Module,
    inputs: tuple[tuple[str, str, str], ...],
    masters: tuple[tuple[str, str, str], ...],
    done: bool = False,
) -> IpBlock:
    """A block: its arguments of software, (name, what it is, unit), and (port, base, what)."""
    registers: list[Register] = []
    place = _FIRST
    for name, doc, unit in inputs:
        registers.append(value(name, place, doc, unit))
        place += _INPUT_BYTES
    for _, name, what in masters:
        if all(register.name != name for register in registers):
            registers.append(base(name, place, what))
            place += _INPUT_BYTES
    place = (place + _OUTPUT_BYTES - 1) // _OUTPUT_BYTES * _OUTPUT_BYTES
    outputs = [
        ("errors", "error bits of the module since reset", "", len(HARDWARE_ERRORS)),
        ("executed", _EXECUTED, "instructions", 32),
        ("busy", _BUSY, "cycles", 32),
    ]
    if module is not Module.FETCH:
        outputs.append(("waited", _WAITED, "cycles", 32))
    if done:
        outputs.append(("done_o", "1 after FINISH, 0 after any other instruction", "", 32))
    for name, doc, unit, bits in outputs:
        registers += output(name, place, doc, unit, bits)
        place += _OUTPUT_BYTES
    return IpBlock(
        name=module.name.lower(),
        vlnv=f"vta_pynq:hls:vta_{module.name.lower()}:1.0",
        slave="s_axi_control",
        registers=(*AP_CTRL_HS, *registers),
        masters=tuple(Master(f"m_axi_{port}", name, what) for port, name, what in masters),
    )


_MAP = AddressMap(
    name="4k",
    doc="one page a block, then the interrupt controller",
    offsets=MappingProxyType(
        {"fetch": 0x0000, "load": 0x1000, "compute": 0x2000, "store": 0x3000, "control": 0x4000}
    ),
    range_bytes=0x1000,
)

VTA1 = Design(
    name="vta1",
    doc=(
        "The project's own design (hls/): soft reset, status with an interrupt, counters, and an "
        "identity that software compares before it runs anything."
    ),
    modules=(
        _block(
            Module.FETCH,
            (
                ("insn_count", "instructions to fetch", "instructions"),
                ("insns", "byte address of the first instruction", "bytes"),
            ),
            (("insn_port", "insns", "instructions"),),
        ),
        _block(
            Module.LOAD,
            (),
            (("inp_port", "inputs", "INP"), ("wgt_port", "weights", "WGT")),
        ),
        _block(
            Module.COMPUTE,
            (),
            (("uop_port", "uops", "UOP"), ("acc_port", "biases", "ACC")),
            done=True,
        ),
        _block(Module.STORE, (), (("out_port", "outputs", "OUT"),)),
    ),
    control=CONTROL,
    interrupts=(CONTROL.name,),
    address_maps=MappingProxyType({_MAP.name: _MAP}),
)
