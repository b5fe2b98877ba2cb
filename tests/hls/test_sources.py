"""What the synthesised C++ gives a tool: whole pragmas, pinned offsets, reasons, portable code."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from tests.conftest import ROOT
from vta_pynq.config import HwConfig
from vta_pynq.hls_macros import with_operations
from vta_pynq.isa.register_types import Access
from vta_pynq.isa.registers import AP_CTRL_HS, VTA1
from vta_pynq.isa.table import Module
from vta_pynq.sim.csim_build import compile_command

HLS = ROOT / "hls"
DEFAULT = HwConfig()
SOURCES = sorted((HLS / "src").iterdir())
WIDE = HwConfig.from_name("2x32_i8w8a32_15_16_18_18")
"""Weights of 8192 bits: several banks."""
CHANNELS = {
    Module.FETCH: {"load_queue", "compute_queue", "store_queue"},
    Module.LOAD: {"load_queue", "g2l", "l2g"},
    Module.COMPUTE: {"compute_queue", "l2g", "g2l", "s2g", "g2s"},
    Module.STORE: {"store_queue", "g2s", "s2g"},
}
COMMON = {register.name for register in AP_CTRL_HS}


def _pragmas(module, config=DEFAULT):
    """The pragmas of a top as Vitis HLS reads them: each a dictionary of its options."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("needs g++")
    words = [
        w
        for w in compile_command(with_operations(config), compiler)
        if w not in ("-shared", "-fPIC")
    ]
    source = HLS / f"src/{module.name.lower()}.cpp"
    done = subprocess.run(
        [*words, "-D__VITIS_HLS__", "-E", f"-I{HLS / 'tb/portable'}", str(source)],
        capture_output=True,
        text=True,
        check=True,
    )
    found = []
    for line in done.stdout.splitlines():
        if "#pragma HLS" not in line:
            continue
        assert "VTA_" not in line.replace("VTA_AT", "VTA_"), "a macro that was not replaced"
        kind, rest = re.fullmatch(r"\s*#pragma HLS (\w+) ?(.*)", line).groups()
        options = dict(re.findall(r"(\w+) = (\w+)", rest))
        found.append({"kind": kind, "words": rest.split(), **options})
    return found


def _interfaces(module, mode, **settings):
    return {
        p["port"]: p
        for p in _pragmas(module, **settings)
        if p["kind"] == "INTERFACE" and p["mode"] == mode
    }


def _block(module):
    return next(block for block in VTA1.blocks if block.name == module.name.lower())


@pytest.mark.csim
@pytest.mark.parametrize("module", Module)
def test_registers_are_pinned_to_the_table(module):
    ports = _interfaces(module, "s_axilite")
    assert "offset" not in ports.pop("return")
    pinned = {name: int(p["offset"], 16) for name, p in ports.items()}
    table = {
        r.name: r.offset
        for r in _block(module).registers
        if r.name not in COMMON and not r.name.endswith("_ctrl")
    }
    assert pinned == table
    assert {p["bundle"] for p in ports.values()} == {_block(module).slave.removeprefix("s_axi_")}


@pytest.mark.csim
@pytest.mark.parametrize("module", Module)
def test_outputs_leave_room_for_their_valid_register(module):
    registers = {r.name: r.offset for r in _block(module).registers}
    outputs = [r for r in _block(module).registers if r.access is Access.READ_ONLY]
    for register in outputs:
        if not register.name.endswith("_ctrl") and register.name not in COMMON:
            assert registers[f"{register.name}_ctrl"] == register.offset + 4


@pytest.mark.csim
@pytest.mark.parametrize("module", Module)
def test_channels_have_no_register_slice(module):
    ports = _interfaces(module, "axis")
    assert set(ports) == CHANNELS[module]
    assert {p["register_mode"] for p in ports.values()} == {"off"}


@pytest.mark.csim
@pytest.mark.parametrize("module", Module)
def test_masters_are_those_of_the_table_and_keep_room_for_what_runs_ahead(module):
    ports = _interfaces(module, "m_axi")
    assert {f"m_axi_{name}" for name in ports} == {m.name for m in _block(module).masters}
    for name, options in ports.items():
        way = "write" if name == "out_port" else "read"
        assert options["bundle"] == name
        assert options[f"max_{way}_burst_length"] == "16"
        assert int(options[f"num_{way}_outstanding"]) >= 16


@pytest.mark.csim
def test_buffer_of_one_bank_is_a_plain_array_and_of_more_is_partitioned():
    def partitioned(config):
        pragmas = _pragmas(Module.LOAD, config=config)
        arrays = {p["variable"] for p in pragmas if p["kind"] == "ARRAY_PARTITION"}
        return arrays & {"inp_mem", "wgt_mem"}

    assert partitioned(DEFAULT) == {"wgt_mem"}
    assert partitioned(WIDE) == {"wgt_mem"}
    assert partitioned(HwConfig.from_name("1x4_i8w8a32_15_10_10_10")) == set()


@pytest.mark.csim
def test_memories_outside_have_one_port():
    for module in (Module.LOAD, Module.COMPUTE, Module.STORE):
        ports = _interfaces(module, "bram")
        assert ports
        assert {p["storage_type"] for p in ports.values()} == {"ram_1p"}


@pytest.mark.csim
@pytest.mark.parametrize("module", Module)
def test_status_is_reset_and_memories_are_not(module):
    reset = {p["variable"] for p in _pragmas(module) if p["kind"] == "RESET"}
    waited = set() if module is Module.FETCH else {"total_waited"}
    assert reset == {"total_errors", "total_insns", "total_busy"} | waited


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.name)
def test_pipelines_give_their_reason(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if "VTA_PIPELINE(" in line and "#define" not in line:
            before = "\n".join(lines[max(0, number - 6) : number])
            assert "// II=1" in before, f"{path.name}:{number + 1}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.name)
def test_code_is_what_every_tool_takes(path):
    code = re.sub(r"//.*", "", path.read_text(encoding="utf-8"))
    for word in ("volatile", "memcpy", ".empty(", ".full(", "new ", "std::"):
        assert word not in code, f"{path.name}: {word}"
