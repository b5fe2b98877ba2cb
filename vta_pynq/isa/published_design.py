"""The registers of the published PYNQ bitstreams. Facts: docs/isa.md, "Registers and driver
sequence"."""

from __future__ import annotations

from types import MappingProxyType

from vta_pynq.isa.hls_registers import AP_CTRL_HS, base, output, value
from vta_pynq.isa.register_types import AddressMap, Design, IpBlock, Master, Register
from vta_pynq.isa.table import Module

__all__ = ["PUBLISHED"]


def _published_block(
    module: Module, registers: tuple[Register, ...], masters: tuple[Master, ...]
) -> IpBlock:
    return IpBlock(
        name=module.name.lower(),
        vlnv=f"xilinx.com:hls:{module.name.lower()}:1.0",
        slave="s_axi_CONTROL_BUS",
        registers=(*AP_CTRL_HS, *registers),
        masters=masters,
    )


_PUBLISHED_BLOCKS = (
    _published_block(
        Module.FETCH,
        (
            value("insn_count", 0x10, "instructions to fetch", "instructions"),
            value("insns", 0x18, "byte address of the first instruction", "bytes"),
        ),
        (Master("m_axi_ins_port", "insns", "instructions"),),
    ),
    _published_block(
        Module.LOAD,
        (base("inputs", 0x10, "INP"), base("weights", 0x18, "WGT")),
        (
            Master("m_axi_data_port", "inputs", "inputs"),
            Master("m_axi_data_port", "weights", "weights, on the same port"),
        ),
    ),
    _published_block(
        Module.COMPUTE,
        (
            value("done_i", 0x10, "fed into the block; has no effect", ""),
            *output("done_o", 0x18, "1 after FINISH; 0 once any other instruction starts", "", 32),
            base("uops", 0x20, "UOP"),
            base("biases", 0x28, "ACC"),
        ),
        (
            Master("m_axi_uop_port", "uops", "micro-ops"),
            Master("m_axi_data_port", "biases", "accumulators"),
        ),
    ),
    _published_block(
        Module.STORE,
        (base("outputs", 0x10, "OUT"),),
        (Master("m_axi_data_port", "outputs", "outputs"),),
    ),
)

_MAP_4K = AddressMap(
    name="4k",
    doc="bitstreams 0.0.1 and later: one page a block",
    offsets=MappingProxyType({"fetch": 0x0000, "load": 0x1000, "compute": 0x2000, "store": 0x3000}),
    range_bytes=0x1000,
)
_MAP_64K = AddressMap(
    name="64k",
    doc="bitstreams 0.0.0: 64 KiB a block, compute before load",
    offsets=MappingProxyType(
        {"fetch": 0x00000, "compute": 0x10000, "load": 0x20000, "store": 0x30000}
    ),
    range_bytes=0x10000,
)

PUBLISHED = Design(
    name="published",
    doc="The four HLS blocks of the published PYNQ bitstreams: polled, no interrupt, no reset.",
    modules=_PUBLISHED_BLOCKS,
    address_maps=MappingProxyType({m.name: m for m in (_MAP_4K, _MAP_64K)}),
)
