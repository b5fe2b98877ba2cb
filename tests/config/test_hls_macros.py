"""The macros of a build: all that the C++ needs, and nothing that it does not know."""

from __future__ import annotations

import re

import pytest

from tests.conftest import ROOT
from vta_pynq.config import Capability, HwConfig
from vta_pynq.hls_macros import OPERATIONS, compiler_options, hls_macros, with_operations

CONFIG_HPP = (ROOT / "hls/src/config.hpp").read_text(encoding="utf-8")


def test_hls_macros_default_configuration_gives_twelve_in_order():
    assert hls_macros(HwConfig()) == {
        "VTA_LOG_INP_WIDTH": 3,
        "VTA_LOG_WGT_WIDTH": 3,
        "VTA_LOG_ACC_WIDTH": 5,
        "VTA_LOG_BATCH": 0,
        "VTA_LOG_BLOCK": 4,
        "VTA_LOG_UOP_BUFF_SIZE": 15,
        "VTA_LOG_INP_BUFF_SIZE": 15,
        "VTA_LOG_WGT_BUFF_SIZE": 18,
        "VTA_LOG_ACC_BUFF_SIZE": 17,
        "VTA_ALU_MUL": 0,
        "VTA_ALU_REQUANT": 0,
        "VTA_LOAD_ACC8": 0,
    }


def test_hls_macros_order_is_that_of_the_options():
    options = compiler_options(HwConfig())
    assert options[0] == "-DVTA_LOG_INP_WIDTH=3"
    assert options == [f"-D{name}={value}" for name, value in hls_macros(HwConfig()).items()]


@pytest.mark.parametrize("capability", Capability)
def test_hls_macros_capability_switches_its_macro_alone(capability):
    without = hls_macros(HwConfig())
    with_it = hls_macros(HwConfig().with_capabilities(capability))
    changed = {name for name in without if without[name] != with_it[name]}
    expected = {f"VTA_{OPERATIONS[capability]}"} if capability in OPERATIONS else set()
    assert changed == expected


def test_config_hpp_takes_every_macro_and_defaults_none():
    for name in hls_macros(HwConfig()):
        assert re.search(rf"= {name}\b|\b{name} != 0", CONFIG_HPP), name
        assert f"#define {name}" not in CONFIG_HPP


def test_with_operations_adds_what_published_streams_can_encode():
    config = with_operations(HwConfig().with_capabilities(Capability.IDENTITY))
    assert config.name == f"{HwConfig().name}+alu_mul+identity+load_acc8"
