"""FIFOs and memories between modules, held to the C++ that synthesis gets."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess

import pytest

from tests.conftest import ROOT
from vta_pynq.config import HwConfig
from vta_pynq.errors import ConfigError
from vta_pynq.hardware.interfaces import BANK_BITS, Memory, fifos, memories
from vta_pynq.isa.table import Module
from vta_pynq.overlay.descriptions import variants
from vta_pynq.sim.csim_build import compile_command
from vta_pynq.timing.profiles import get_profile

VTA1 = get_profile("vta1")
OWN = sorted({v.config.name for v in variants() if v.design.control})


def test_fifos_are_three_queues_and_four_tokens_as_deep_as_the_profile():
    found = {fifo.name: fifo for fifo in fifos(VTA1)}
    assert list(found) == [
        "load_queue", "compute_queue", "store_queue", "l2g", "g2l", "g2s", "s2g",
    ]  # fmt: skip
    assert {(f.bits, f.depth) for f in found.values()} == {(128, 512), (8, 1024)}
    assert (found["l2g"].producer, found["l2g"].consumer) == (Module.LOAD, Module.COMPUTE)


@pytest.mark.parametrize("depth", [None, 8, 500, 65536])
def test_fifos_of_a_depth_that_no_generator_makes_are_refused(depth):
    with pytest.raises(ConfigError) as caught:
        fifos(dataclasses.replace(VTA1, insn_queue_depth=depth))
    assert str(caught.value) == (
        "profile vta1: insn_queue_depth must be a power of two in 16..32768 to be built, not "
        f"{depth}"
    )


def test_memories_of_elements_that_are_wider_than_a_bank_are_split():
    memory = Memory("wgt_mem", 2048, 1024, Module.LOAD, Module.COMPUTE)
    assert (memory.word_bits, memory.words) == (BANK_BITS, 2)
    assert memory.ports == ("wgt_mem_0", "wgt_mem_1")
    narrow = Memory("inp_mem", 128, 2048, Module.LOAD, Module.COMPUTE)
    assert (narrow.word_bits, narrow.words, narrow.ports) == (128, 1, ("inp_mem",))


def test_memories_that_no_generator_makes_are_refused():
    config = HwConfig.from_name("1x2_i8w8a32_12_11_12_12")
    with pytest.raises(ConfigError) as caught:
        memories(config)
    assert str(caught.value) == (
        f"configuration {config.name}: an element of inp_mem must have at least 32 bits to be "
        "built, not 16; use a larger block"
    )


_KINDS = {"inp_mem": "InpSram", "wgt_mem": "WgtSram", "out_mem": "OutSram"}


@pytest.mark.csim
@pytest.mark.parametrize(
    "name",
    [OWN[0], *(pytest.param(name, marks=pytest.mark.slow) for name in OWN[1:])],
)
def test_memories_are_those_that_the_compiler_sees(name, tmp_path):
    compiler = shutil.which("g++") or pytest.skip("g++ is not installed")
    config = HwConfig.from_name(name)
    lines = ['#include "types.hpp"', "using namespace vta;"]
    for memory in memories(config):
        kind = _KINDS[memory.name]
        for what, value in (
            ("depth", memory.depth), ("words", memory.words),
            ("element_t::word_bits", memory.word_bits),
        ):  # fmt: skip
            lines.append(f'static_assert({kind}::{what} == {value}, "{kind} {what}");')
    source = tmp_path / "probe.cpp"
    source.write_text("\n".join(lines))
    words = [w for w in compile_command(config, compiler) if w not in ("-shared", "-fPIC")]
    done = subprocess.run(
        [*words, "-fsyntax-only", f"-I{ROOT / 'hls/src'}", str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
