"""The IPs that block designs may use: the vendor's, and ours as the sources have them.

Facts about the vendor's: PG082, PG201 (processing systems), PG247 (SmartConnect), PG099 (interrupt
controller), PG058 (block memory), PG085 (AXI-Stream infrastructure), PG164 (reset).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from tests.conftest import ROOT
from tests.overlays.stand_in.parts import Interface, IpModel, Pin, axi_interface
from tests.overlays.stand_in.serve import CommandError
from tests.overlays.stand_in.tops import arguments
from vta_pynq.config import HwConfig

Settings = Mapping[str, str]


def _ps7(settings: Settings) -> IpModel:
    model = IpModel()
    model.add(
        Pin("FCLK_CLK0", True, role="clock"),
        Pin("FCLK_RESET0_N", True, role="reset"),
    )
    model.add_interface(Interface("DDR", "ddr", True))
    model.add_interface(Interface("FIXED_IO", "fixed_io", True))
    if settings.get("PCW_USE_M_AXI_GP0", "1") == "1":
        _ps_master(model, "M_AXI_GP0", "M_AXI_GP0_ACLK", 0x40000000, 0x7FFFFFFF)
    if settings.get("PCW_USE_FABRIC_INTERRUPT") == settings.get("PCW_IRQ_F2P_INTR") == "1":
        model.add(Pin("IRQ_F2P", False, None))
    for name in ("HP0", "HP1", "HP2", "HP3", "ACP"):
        port = f"S_AXI_{name}"
        if settings.get(f"PCW_USE_{port}") == "1":
            _ps_slave(model, port, f"{port}_ACLK", f"{port}/{name}_DDR_LOWOCM", 0x3FFFFFFF)
    return model


def _mpsoc(settings: Settings) -> IpModel:
    model = IpModel()
    model.add(Pin("pl_clk0", True, role="clock"), Pin("pl_resetn0", True, role="reset"))
    # The board's preset enables both masters of the full-power domain.
    for number, name in enumerate(("HPM0_FPD", "HPM1_FPD", "HPM0_LPD")):
        if settings.get(f"PSU__USE__M_AXI_GP{number}", "1") == "1":
            base = 0x80000000 if name.endswith("LPD") else 0xA0000000 + 0x10000000 * number
            clock = f"maxi{name.lower()}_aclk"
            _ps_master(model, f"M_AXI_{name}", clock, base, base + 0x0FFFFFFF)
    if settings.get("PSU__USE__IRQ0") == "1":
        model.add(Pin("pl_ps_irq0", False, None))
    for number, name in enumerate(("HPC0", "HPC1", "HP0", "HP1", "HP2", "HP3")):
        if settings.get(f"PSU__USE__S_AXI_GP{number}") == "1":
            segment = f"SAXIGP{number}/{name}_DDR_LOW"
            clock = f"saxi{name.lower()}_fpd_aclk"
            _ps_slave(model, f"S_AXI_{name}_FPD", clock, segment, 0x7FFFFFFF)
    return model


def _ps_master(model: IpModel, name: str, clock: str, low: int, high: int) -> None:
    model.add(Pin(clock, False, role="clock"))
    axi_interface(model, name, master=True, bits=32, upper=True)
    model.spaces["Data"] = name
    model.segments["Data"] = (name, low, high)  # the window that leads out of the master


def _ps_slave(model: IpModel, name: str, clock: str, segment: str, high: int) -> None:
    model.add(Pin(clock, False, role="clock"))
    axi_interface(model, name, master=False, bits=64, upper=True)
    model.segments[segment] = (name, 0, high)


def _smartconnect(settings: Settings) -> IpModel:
    model = IpModel()
    model.add(Pin("aclk", False, role="clock"), Pin("aresetn", False, role="reset"))
    for letter, count in (("S", settings.get("NUM_SI", "1")), ("M", settings.get("NUM_MI", "1"))):
        if not 1 <= int(count) <= 16:
            raise CommandError(f"smartconnect: NUM_{letter}I must be in 1..16, not {count}")
        for number in range(int(count)):
            name = f"{letter}{number:02}_AXI"
            axi_interface(model, name, master=letter == "M", bits=None, upper=False)
    return model


def _intc(settings: Settings) -> IpModel:
    model = IpModel()
    model.add(
        Pin("s_axi_aclk", False, role="clock"),
        Pin("s_axi_aresetn", False, role="reset"),
        Pin("intr", False, None),
    )
    if settings.get("C_IRQ_CONNECTION", "0") == "1":
        model.add(Pin("irq", True))
    else:
        model.add_interface(Interface("interrupt", "mbinterrupt", True))
    axi_interface(model, "s_axi", master=False, bits=32, upper=False)
    model.segments["s_axi/Reg"] = ("s_axi", None, None)
    return model


def _concat(settings: Settings) -> IpModel:
    model = IpModel()
    count = int(settings.get("NUM_PORTS", "2"))
    model.add(*(Pin(f"In{number}", False) for number in range(count)), Pin("dout", True, count))
    return model


def _constant(settings: Settings) -> IpModel:
    width = int(settings.get("CONST_WIDTH", "1"))
    if not 1 <= width <= 4096:
        raise CommandError(f"xlconstant: CONST_WIDTH must be in 1..4096, not {width}")
    model = IpModel()
    model.add(Pin("dout", True, width))
    return model


def _reset(settings: Settings) -> IpModel:
    model = IpModel()
    model.add(
        Pin("slowest_sync_clk", False, role="clock"),
        Pin("ext_reset_in", False, role="reset"),
        # The IP ties these off.
        *(Pin(name, False, optional=True) for name in ("aux_reset_in", "mb_debug_sys_rst")),
        Pin("dcm_locked", False, optional=True),
        *(Pin(name, True, optional=True) for name in ("mb_reset", "bus_struct_reset")),
        Pin("peripheral_reset", True, optional=True),
        *(Pin(f"{n}_aresetn", True, role="reset") for n in ("interconnect", "peripheral")),
    )
    return model


def _stream_fifo(settings: Settings) -> IpModel:
    depth = int(settings.get("FIFO_DEPTH", "512"))
    if not 16 <= depth <= 32768 or depth & (depth - 1):
        raise CommandError(f"axis_data_fifo: FIFO_DEPTH must be 16..32768, not {depth}")
    bits = 8 * int(settings.get("TDATA_NUM_BYTES", "1"))
    model = IpModel()
    model.add(
        Pin("s_axis_aclk", False, role="clock"),
        Pin("s_axis_aresetn", False, role="reset"),
    )
    for side, into in (("s_axis", True), ("m_axis", False)):
        model.add(
            Pin(f"{side}_tdata", not into, bits),
            Pin(f"{side}_tvalid", not into),
            Pin(f"{side}_tready", into),
        )
        for signal in ("tkeep", "tstrb", "tlast"):
            if settings.get(f"HAS_{signal.upper()}", "0") != "0":
                model.add(Pin(f"{side}_{signal}", not into, None))
        names = {s: f"{side}_{s.lower()}" for s in ("TDATA", "TVALID", "TREADY")}
        model.add_interface(Interface(side.upper(), "axis", not into, names))
    return model


_MEMORY_SETTINGS = {
    "use_bram_block": "Stand_Alone", "Enable_32bit_Address": "true",
    "Use_Byte_Write_Enable": "true", "Byte_Size": "8",
    # Data come one cycle after the address.
    "Register_PortA_Output_of_Memory_Primitives": "false",
    "Register_PortB_Output_of_Memory_Primitives": "false",
}  # fmt: skip


def _block_memory(settings: Settings) -> IpModel:
    for name, value in _MEMORY_SETTINGS.items():
        if settings.get(name) != value:
            raise CommandError(f"blk_mem_gen: {name} must be {value}, not {settings.get(name)}")
    widths = {settings.get(f"{do}_Width_{port}") for do in ("Write", "Read") for port in "AB"}
    if len(widths) != 1 or None in widths:
        raise CommandError(f"blk_mem_gen: widths must agree, not {widths}")
    bits = int(widths.pop())
    if bits not in (32, 64, 128, 256, 512, 1024):
        raise CommandError(f"blk_mem_gen: width with byte addresses must be 32..1024, not {bits}")
    depth = int(settings.get("Write_Depth_A", "0"))
    if not 2 <= depth <= 1 << 20:
        raise CommandError(f"blk_mem_gen: Write_Depth_A must be 2..1048576, not {depth}")
    true_dual = settings.get("Memory_Type") == "True_Dual_Port_RAM"
    if not true_dual and settings.get("Memory_Type") != "Simple_Dual_Port_RAM":
        raise CommandError(f"blk_mem_gen: Memory_Type must be dual-port, not {settings}")
    model = IpModel()
    for side in "ab":
        model.add(
            Pin(f"clk{side}", False, role="clock"),
            Pin(f"en{side}", False),
            Pin(f"addr{side}", False, 32),
        )
        model.depths[f"addr{side}"] = depth
        if true_dual or side == "a":
            model.add(Pin(f"din{side}", False, bits), Pin(f"we{side}", False, bits // 8))
        if true_dual or side == "b":
            model.add(Pin(f"dout{side}", True, bits))
        if settings.get(f"Use_RST{side.upper()}_Pin", "false") == "true":
            model.add(Pin(f"rst{side}", False))
    return model


VENDOR: dict[str, Callable[[Settings], IpModel]] = {
    "xilinx.com:ip:processing_system7:5.5": _ps7,
    "xilinx.com:ip:zynq_ultra_ps_e:3.5": _mpsoc,
    "xilinx.com:ip:smartconnect:1.0": _smartconnect,
    "xilinx.com:ip:axi_intc:4.1": _intc,
    "xilinx.com:ip:xlconcat:2.1": _concat,
    "xilinx.com:ip:xlconstant:1.1": _constant,
    "xilinx.com:ip:proc_sys_reset:5.0": _reset,
    "xilinx.com:ip:axis_data_fifo:2.0": _stream_fifo,
    "xilinx.com:ip:blk_mem_gen:8.4": _block_memory,
}


# ---- our own ----------------------------------------------------------------------------------


def hls_model(module: str, config: HwConfig) -> IpModel:
    """The IP that Vitis HLS makes of a top."""
    model = IpModel()
    model.add(Pin("ap_clk", False, role="clock"), Pin("ap_rst_n", False, role="reset"))
    # The control block has the one interrupt of the design.
    model.add(Pin("interrupt", True, optional=True))
    axi_interface(model, "s_axi_control", master=False, bits=32, upper=True)
    model.segments["s_axi_control/Reg"] = ("s_axi_control", None, None)
    for argument in arguments(module, config):
        name = argument.name
        if argument.kind in ("read", "write"):
            axi_interface(model, f"m_axi_{name}", master=True, bits=argument.bits, upper=True)
            model.spaces[f"Data_m_axi_{name}"] = f"m_axi_{name}"
        elif argument.kind == "stream":
            model.add(
                Pin(f"{name}_TDATA", argument.output, argument.bits),
                Pin(f"{name}_TVALID", argument.output),
                Pin(f"{name}_TREADY", not argument.output),
            )
        elif argument.kind == "memory":
            words = [""] if argument.words == 1 else [f"_{i}" for i in range(argument.words)]
            for word in words:
                _memory_port(model, f"{name}{word}", argument.bits, argument.depth, argument.output)
        else:
            # `finished` is always 1 when it is valid.
            model.add(Pin(name, True, argument.bits, optional=name == "finished"))
            model.add(Pin(f"{name}_ap_vld", True))
    return model


def _memory_port(model: IpModel, name: str, bits: int, depth: int, writes: bool) -> None:
    model.add(
        Pin(f"{name}_Clk_A", True, role="clock"),
        # Memories are not reset.
        Pin(f"{name}_Rst_A", True, optional=True),
        Pin(f"{name}_EN_A", True),
        Pin(f"{name}_Addr_A", True, 32),
        # What a reader writes with leads nowhere.
        Pin(f"{name}_WEN_A", True, bits // 8, optional=not writes),
        Pin(f"{name}_Din_A", True, bits, optional=not writes),
        Pin(f"{name}_Dout_A", False, bits),
    )
    model.depths[f"{name}_Addr_A"] = depth


_PORT = re.compile(r"\b(input|output)\s+(?:wire|reg)\s*(?:\[\s*(\d+)\s*:\s*0\])?\s*(\w+)")


def control_model() -> IpModel:
    """The control block, from the ports of its Verilog."""
    text = (ROOT / "hls/rtl/vta_control.v").read_text(encoding="utf-8")
    header = re.sub(r"//[^\n]*", "", text[text.index("module vta_control ") : text.index(");")])
    model = IpModel()
    axi = "s_axi_control"
    signals = {}
    for direction, high, name in _PORT.findall(header):
        role = {"aclk": "clock"}.get(name, "reset" if name.endswith("resetn") else "")
        model.add(Pin(name, direction == "output", int(high or 0) + 1, role))
        if name.startswith(f"{axi}_"):
            signals[name.removeprefix(f"{axi}_").upper()] = name
    model.add_interface(Interface(axi, "aximm", False, signals))
    model.segments[f"{axi}/reg0"] = (axi, None, None)
    return model


def control_parameters() -> set[str]:
    """Parameters of the control block."""
    text = (ROOT / "hls/rtl/vta_control.v").read_text(encoding="utf-8")
    return set(re.findall(r"parameter (?:\[[^\]]*\] )?(\w+)", text[: text.index(") (")]))
