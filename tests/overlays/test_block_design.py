"""`hls/scripts/block_design.tcl` in plain tclsh, under a stand-in for Vivado's commands."""

from __future__ import annotations

import random

import pytest

from tests.overlays.builds import every_build, own
from tests.overlays.stand_in.judge import problems
from tests.overlays.stand_in.serve import CommandError
from vta_pynq.hwh import HIERARCHY
from vta_pynq.isa.registers import AXI_INTC


def built(block_design, plan):
    code, printed, vivado = block_design(plan)
    assert code == 0, printed
    return vivado.design


@pytest.mark.parametrize(
    "plan", every_build(), ids=lambda p: f"{p.board.name}-{p.variant.stem}-{p.ports}"
)
def test_block_design_of_every_build_has_no_problems(plan, block_design):
    design = built(block_design, plan)
    assert problems(design) == []
    slaves = {
        a.segment.rsplit("/", 2)[0]: (a.offset, a.size)
        for a in design.assignments
        if a.space.startswith(plan.processing_system().instance)
    }
    addresses = plan.addresses()
    expected = {f"{HIERARCHY}/{block.name}_0": addresses[block.name] for block in plan.blocks}
    expected["axi_intc_0"] = addresses[AXI_INTC.name]
    size = plan.variant.address_map.range_bytes
    assert slaves == {name: (at, size) for name, at in expected.items()}
    assert addresses_of_masters(design, plan) == {
        f"{HIERARCHY}/{block.name}_0/Data_{master.name}"
        for block in plan.blocks
        for master in block.masters
    }
    controls = [path for net in design.nets for path in net if path == f"{HIERARCHY}/control_0/irq"]
    assert controls == [f"{HIERARCHY}/control_0/irq"]


def addresses_of_masters(design, plan):
    """Address spaces of masters; each holds all of the board's memory, and nothing else."""
    found = [a for a in design.assignments if a.space.startswith(f"{HIERARCHY}/")]
    whole = {(plan.board.dram_base, plan.board.dram_bytes)}
    assert {(a.offset, a.size) for a in found} == whole
    assert len({a.space for a in found}) == len(found)
    return {a.space for a in found}


def test_block_design_option_decides_about_ports_and_coherence(block_design):
    for ports, used in (("hp", 4), ("acp", 1)):
        code, printed, vivado = block_design(own("ZCU104", ports))
        assert code == 0, printed
        reached = {a.segment for a in vivado.design.assignments if "DDR" in a.segment}
        assert len(reached) == used
        cached = [name for _, name in vivado.properties if name.endswith("_CACHE_VALUE")]
        assert len(cached) == (6 if ports == "acp" else 0)


def test_block_design_interrupt_of_control_reaches_the_processor(block_design):
    design = built(block_design, own())
    into = design.net_of("xlconcat_0/In0")
    assert into == {f"{HIERARCHY}/control_0/irq", "xlconcat_0/In0"}
    assert design.net_of("axi_intc_0/irq") == {"axi_intc_0/irq", "processing_system7_0/IRQ_F2P"}
    assert design.cells["axi_intc_0"].settings["C_IRQ_CONNECTION"] == "1"


def test_block_design_taps_are_at_both_sides_of_every_fifo(block_design):
    plan = own()
    design = built(block_design, plan)
    for fifo in plan.fifos():
        producer = f"{HIERARCHY}/{fifo.producer.name.lower()}_0/{fifo.name}"
        consumer = f"{HIERARCHY}/{fifo.consumer.name.lower()}_0/{fifo.name}"
        for side, module in (("push", producer), ("pop", consumer)):
            for signal in ("tvalid", "tready"):
                tap = f"{HIERARCHY}/control_0/{fifo.name}_{side}_{signal}"
                assert f"{module}_{signal.upper()}" in design.net_of(tap)


def test_block_design_wide_elements_lie_in_several_memories(block_design):
    config = "4x16_i8w8a32_15_17_18_19"
    design = built(block_design, own("ZCU104", config=config))
    rams = {name: cell.settings for name, cell in design.cells.items() if name.endswith("_ram")}
    widths = {name: int(settings["Write_Width_A"]) for name, settings in rams.items()}
    assert widths == {"inp_mem_ram": 512, "wgt_mem_0_ram": 1024, "wgt_mem_1_ram": 1024,
                      "out_mem_ram": 512}  # fmt: skip


# ---- what the stand-in must see ---------------------------------------------------------------


def unseen(design, joined):
    """The pins, of those given with their nets, that could be left out without a problem."""
    found = []
    for net, path in joined:
        net.discard(path)
        if not problems(design):
            found.append(path)
        net.add(path)
    return found


def test_stand_in_sees_a_pin_that_is_not_joined(block_design):
    design = built(block_design, own())
    joined = [(net, path) for net in design.nets for path in sorted(net)]
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    assert not unseen(design, random.Random(seed).sample(joined, 30))
    assert not problems(design)


@pytest.mark.slow
@pytest.mark.parametrize("ports", ["hp", "acp"])
def test_stand_in_sees_every_pin_that_is_not_joined(ports, block_design):
    design = built(block_design, own("KV260", ports, "4x16_i8w8a32_14_15_17_17"))
    assert not unseen(design, [(net, path) for net in design.nets for path in sorted(net)])


def test_stand_in_sees_every_interface_and_segment_that_is_missing(block_design):
    design = built(block_design, own())
    for table in (design.interface_nets, design.assignments):
        for item in list(table):
            table.remove(item)
            assert problems(design), item
            table.append(item)
    assert not problems(design)


CHANGES = {
    # change of the script: what is said about it
    "a connection is dropped": ("join_pins $middle/m_axis_tdata ${to}_TDATA", "", "unconnected"),
    "a pin has another name": ("${from}_TDATA $middle", "${from}_tdata $middle", "must exist"),
    "the FIFO is too narrow": ("[dict get $fifo bits] / 8", "1", "widths [8, 128] differ"),
    "the memory is too narrow": (
        "set bits [dict get $memory bits]", "set bits 64", "widths [64, 128] differ",
    ),
    "the memory is too shallow": (
        "Write_Depth_A [dict get $memory depth]", "Write_Depth_A 512", "depths [512, 2048] differ",
    ),
    "the memory has no byte addresses": (
        "Enable_32bit_Address true", "Enable_32bit_Address false",
        "Enable_32bit_Address must be true",
    ),
    "the data come a cycle later": (
        "Register_PortB_Output_of_Memory_Primitives false",
        "Register_PortB_Output_of_Memory_Primitives true",
        "Register_PortB_Output_of_Memory_Primitives must be false",
    ),
    "the reader gets the data of the writer": (
        "join_pins $block/doutb ${to}_Dout_A", "join_pins ${from}_Din_A ${to}_Dout_A",
        "unconnected: inp_mem_ram/doutb",
    ),
    "a segment is missing": (
        "assign_bd_address -offset [dict get $group base]", "list", "space without segment",
    ),
    "blocks lie on each other": (
        "assign_bd_address -offset [planned addresses $name]",
        "assign_bd_address -offset 0x43C00000", "overlap",
    ),
    "a master is not marked as reaching memory": (
        "join_interfaces $middle/[numbered M 0]", "list", "does not lead to",
    ),
    "one side of a watched handshake": (
        "${master}_$signal ${slave}_$word control_0", "${master}_$signal control_0",
        "overridden on one side only",
    ),
    "a tap is forgotten": (
        " control_0/${name}_pop_tvalid", "", "unconnected: vta/control_0/load_queue_pop_tvalid",
    ),
    "the interrupt goes nowhere": (
        "join_pins axi_intc_0/[planned intc pin] [ps_pin interrupt_pin]", "", "unconnected",
    ),
    "a module runs on without reset": (
        "join_pins control_0/module_resetn ${name}_0/ap_rst_n", "", "ap_rst_n",
    ),
    "a reset is driven by something else": (
        "join_pins control_0/module_resetn", "join_pins control_0/irq",
        "reset joined to something else",
    ),
    "an IP that is not there": ("axis_data_fifo:2.0", "axis_data_fifo:9.0", "not in the catalogue"),
    "a parameter that is not there": (
        "[dict get $control parameters]", "{NO_SUCH 1}", "no parameters ['NO_SUCH']",
    ),
    "a command that is not there": ("save_bd_design", "store_bd_design", "invalid command name"),
    "the design is not validated": ("validate_bd_design", "", None),
    "the reset's source is forgotten": (
        "join_pins [ps_pin reset_pin] proc_sys_reset_0/ext_reset_in", "", "ext_reset_in",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_stand_in_sees_a_script_that_is_wrong(name, block_design):
    before, after, message = CHANGES[name]

    def change(text):
        assert before in text
        return text.replace(before, after)

    code, printed, vivado = block_design(own(), change)
    if message is None:
        assert problems(vivado.design) == ["the design was not validated"]
        return
    assert code == 1
    assert message in printed


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        ("connect_bd_net", ["a/b", "c/d"], "a/b does not exist"),
        ("create_bd_cell", ["-type", "ip", "-vlnv", "x:y:z:1.0", "q"], "not in the catalogue"),
        ("assign_bd_address", ["-elsewhere", "0", "x"], "unknown option -elsewhere"),
        ("set_property", ["-dict", "CONFIG.X 1", "nothing"], "cell nothing does not exist"),
    ],
)
def test_stand_in_refuses_what_vivado_refuses(name, words, message, block_design):
    _, _, vivado = block_design(own())
    with pytest.raises(CommandError, match=message):
        vivado.answer(name, words)
