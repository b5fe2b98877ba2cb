"""HwConfig: derived numbers, names, files, and every refusal word for word."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given

from tests.strategies import hw_configs
from vta_pynq import config_rules
from vta_pynq.config import Capability, HwConfig
from vta_pynq.errors import ConfigError
from vta_pynq.isa import (
    ALU_FORMAT,
    GEMM_FORMAT,
    MEM_FORMAT,
    REQUANT_FORMAT,
    UOP_FIELDS,
    format_layout,
)

NAME = "1x16_i8w8a32_15_15_18_17"
ORIGINAL = {
    "TARGET": "pynq",
    "HW_VER": "0.0.2",
    "LOG_INP_WIDTH": 3,
    "LOG_WGT_WIDTH": 3,
    "LOG_ACC_WIDTH": 5,
    "LOG_BATCH": 0,
    "LOG_BLOCK": 4,
    "LOG_UOP_BUFF_SIZE": 15,
    "LOG_INP_BUFF_SIZE": 15,
    "LOG_WGT_BUFF_SIZE": 18,
    "LOG_ACC_BUFF_SIZE": 17,
}


def test_default_has_the_published_numbers() -> None:
    config = HwConfig()
    assert config.name == NAME
    assert (config.uop_bytes, config.wgt_bytes, config.inp_bytes) == (4, 256, 16)
    assert (config.acc_bytes, config.out_bytes) == (64, 16)
    assert (config.uop_depth, config.wgt_depth, config.inp_depth) == (8192, 1024, 2048)
    assert (config.acc_depth, config.out_depth) == (2048, 2048)
    assert (config.log_out_width, config.log_out_buff_size) == (3, 15)
    assert (config.uop_dst_bits, config.uop_src_bits, config.uop_wgt_bits) == (11, 11, 10)
    assert config.macs_per_cycle == 256


def test_fingerprint_of_the_default_never_changes() -> None:
    assert HwConfig().fingerprint == "6d83f38ac4e22109"


@given(hw_configs())
def test_names_and_files_round_trip(config: HwConfig) -> None:
    assert HwConfig.from_name(config.name) == config
    assert HwConfig.from_dict(config.to_dict()) == config
    assert HwConfig.from_json(config.to_json()) == config
    assert str(config) == config.name
    assert HwConfig.from_name(config.name).fingerprint == config.fingerprint


@given(hw_configs(), hw_configs())
def test_fingerprints_differ_where_configurations_do(first: HwConfig, second: HwConfig) -> None:
    assert (first.fingerprint == second.fingerprint) == (first == second)


@given(hw_configs())
def test_sizes_are_depth_times_element(config: HwConfig) -> None:
    """Each buffer holds its elements exactly; counted here from what an element is."""
    values = {
        "inp": (config.batch * config.block, config.inp_width),
        "wgt": (config.block * config.block, config.wgt_width),
        "acc": (config.batch * config.block, config.acc_width),
        "out": (config.batch * config.block, config.out_width),
        "uop": (1, 32),
    }
    for kind, (count, width) in values.items():
        assert getattr(config, f"{kind}_bytes") * 8 == count * width
        depth = getattr(config, f"{kind}_depth")
        assert depth * getattr(config, f"{kind}_bytes") == getattr(config, f"{kind}_buff_bytes")
    assert config.out_width == config.inp_width
    assert config.uop_dst_bits + config.uop_src_bits + config.uop_wgt_bits <= 32
    assert 1 << config.uop_src_bits == max(config.inp_depth, config.acc_depth)


def test_from_dict_understands_the_original_keys() -> None:
    assert HwConfig.from_dict(ORIGINAL) == HwConfig()
    more = {"HW_FREQ": 100, "HW_CLK_TARGET": 7, "LOG_OUT_WIDTH": 3, "LOG_OUT_BUFF_SIZE": 15}
    assert HwConfig.from_dict({**ORIGINAL, **more}) == HwConfig()
    assert HwConfig.from_dict({}) == HwConfig()


def test_capabilities_are_part_of_name_and_fingerprint() -> None:
    plain = HwConfig()
    able = plain.with_capabilities("counters", Capability.ALU_MUL)
    assert able.name == f"{NAME}+alu_mul+counters"
    assert able.base_name == NAME
    assert able.fingerprint != plain.fingerprint
    assert able.has(Capability.ALU_MUL)
    assert not plain.has(Capability.ALU_MUL)
    assert HwConfig.from_name(able.name) == able
    assert able.with_capabilities() == plain


def test_config_is_immutable_and_hashable() -> None:
    config = HwConfig()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.log_batch = 1  # type: ignore[misc]
    assert len({config, HwConfig(), HwConfig(log_batch=1)}) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"log_batch": 9}, "configuration: LOG_BATCH must be in 0..8 (the GEMM core takes 1 to 256 "
                           "rows), not 9"),
        ({"log_batch": -1}, "configuration: LOG_BATCH must be in 0..8 (the GEMM core takes 1 to "
                            "256 rows), not -1"),
        ({"log_block": "4"}, "configuration: LOG_BLOCK must be an integer, not '4'"),
        ({"log_block": True}, "configuration: LOG_BLOCK must be an integer, not True"),
        ({"log_acc_width": 6}, "configuration: LOG_ACC_WIDTH must be in 3..5 (accumulators are 8, "
                               "16 or 32 bits wide), not 6"),
        ({"log_uop_buff_size": 31}, "configuration: LOG_UOP_BUFF_SIZE must be in 0..30 (buffers "
                                    "are 1 byte to 1 GiB), not 31"),
        ({"log_acc_width": 3, "log_inp_width": 4},
         "configuration 1x16_i16w8a8_15_15_18_17: input width must be at most the accumulator's "
         "8 bits, not 16"),
        ({"log_acc_width": 3, "log_wgt_width": 4},
         "configuration 1x16_i8w16a8_15_15_18_17: weight width must be at most the accumulator's "
         "8 bits, not 16"),
        ({"log_block": 0, "log_inp_width": 0},
         "configuration 1x1_i1w8a32_15_15_18_17: one input element must be at least one byte, not "
         "1 bits; use a larger block, batch or width"),
        ({"log_uop_buff_size": 1},
         "configuration 1x16_i8w8a32_1_15_18_17: the micro-op buffer must hold at least one "
         "element of 4 bytes, not 2 bytes"),
        ({"log_wgt_buff_size": 7},
         "configuration 1x16_i8w8a32_15_15_7_17: the weight buffer must hold at least one element "
         "of 256 bytes, not 128 bytes"),
        ({"log_inp_buff_size": 3},
         "configuration 1x16_i8w8a32_15_3_18_17: the input buffer must hold at least one element "
         "of 16 bytes, not 8 bytes"),
        ({"log_acc_buff_size": 5},
         "configuration 1x16_i8w8a32_15_15_18_5: the accumulator buffer must hold at least one "
         "element of 64 bytes, not 32 bytes"),
        ({"log_inp_buff_size": 21},
         "configuration 1x16_i8w8a32_15_21_18_17: the input buffer must hold at most 65536 "
         "elements (sram_base has 16 bits), not 131072"),
        ({"log_wgt_buff_size": 19},
         "configuration 1x16_i8w8a32_15_15_19_17: a micro-op must fit 32 bits, not 33 "
         "(accumulator index 11, source index 11, weight index 11); make a buffer smaller"),
        ({"log_uop_buff_size": 16},
         "configuration 1x16_i8w8a32_16_15_18_17: word 0 of GEMM and ALU must fit 64 bits, not "
         "65; make the micro-op buffer smaller"),
        ({"log_acc_buff_size": 18, "log_wgt_buff_size": 15},
         "configuration 1x16_i8w8a32_15_15_15_18: word 1 of ALU must fit 64 bits, not 68; make "
         "the accumulator buffer smaller"),
        ({"capabilities": frozenset({"fly"})},
         "configuration: capability must be one of alu_mul, alu_requant, load_acc8, counters, "
         "identity, interrupt, soft_reset, not 'fly'"),
        ({"capabilities": frozenset({"alu_requant"}), "log_inp_width": 4, "log_batch": 1},
         "configuration 2x16_i16w8a32_15_15_18_17+alu_requant: capability alu_requant must have an "
         "output width of at most 8 bits (it clips to them), not 16; use narrower inputs"),
        ({"capabilities": "alu_mul"},
         "configuration: capabilities must be a list of names, not 'alu_mul'"),
    ],
)  # fmt: skip
def test_impossible_configuration_is_refused_with_its_reason(
    arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        HwConfig(**arguments)  # type: ignore[arg-type]
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("1x16", "configuration name must read BATCHxBLOCK_iINPwWGTaACC_UOP_INP_WGT_ACC, such as "
                 "1x16_i8w8a32_15_15_18_17, not '1x16'"),
        ("1x12_i8w8a32_15_15_18_17", "configuration '1x12_i8w8a32_15_15_18_17': block must be a "
                                     "power of two, not 12"),
        ("0x16_i8w8a32_15_15_18_17", "configuration '0x16_i8w8a32_15_15_18_17': batch must be a "
                                     "power of two, not 0"),
        ("1x16_i7w8a32_15_15_18_17", "configuration '1x16_i7w8a32_15_15_18_17': input width must "
                                     "be a power of two, not 7"),
        (f"{NAME}+fly", f"configuration '{NAME}+fly': capability must be one of alu_mul, "
                        "alu_requant, load_acc8, counters, identity, interrupt, soft_reset, not "
                        "'fly'"),
    ],
)  # fmt: skip
def test_from_name_refuses_with_the_reason(name: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        HwConfig.from_name(name)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "name", [None, 5, "", "1x16_i8w8a32_15_15_18_" + "9" * 5000, "\uff11" + NAME[1:]]
)
def test_from_name_refuses_what_is_no_name(name: object) -> None:
    with pytest.raises(ConfigError, match=r"^configuration name must read"):
        HwConfig.from_name(name)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "configuration must be a JSON object, not list"),
        ({"LOG_BLOK": 4}, "configuration: key must be one of LOG_INP_WIDTH, LOG_WGT_WIDTH, "
                          "LOG_ACC_WIDTH, LOG_BATCH, LOG_BLOCK, LOG_UOP_BUFF_SIZE, "
                          "LOG_INP_BUFF_SIZE, LOG_WGT_BUFF_SIZE, LOG_ACC_BUFF_SIZE, "
                          "not 'LOG_BLOK'"),
        ({"LOG_OUT_WIDTH": 5}, f"configuration {NAME}: LOG_OUT_WIDTH must be 3 (it follows from "
                               "the others), not 5"),
        ({"NAME": "x"}, f"configuration {NAME}: NAME must be {NAME} (it follows from the others), "
                        "not 'x'"),
        ({"DERIVED": {"inp_depth": 4}}, f"configuration {NAME}: DERIVED.inp_depth must be 2048 "
                                        "(it follows from the others), not 4"),
        ({"DERIVED": 4}, f"configuration {NAME}: DERIVED must be an object, not 4"),
        ({"LOG_BATCH": 1.0}, "configuration: LOG_BATCH must be an integer, not 1.0"),
    ],
)  # fmt: skip
def test_from_dict_refuses_with_the_reason(values: object, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        HwConfig.from_json(json.dumps(values))
    assert str(caught.value) == message


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"LOG_BATCH": 1' + "0" * 5000 + "}"])
def test_from_json_refuses_what_is_no_json(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^configuration"):
        HwConfig.from_json(text)


@given(hw_configs())
def test_rules_count_the_bits_that_the_table_has(config: HwConfig) -> None:
    """The refusals count fixed bits of the formats; the formats themselves are in the table."""
    loops = [f for f in GEMM_FORMAT.fields if "_factor_" not in f.name]
    fixed = sum(f.width(config) for f in loops) - 2 * config.log_uop_depth
    assert fixed == config_rules._GEMM_WORD0_FIXED_BITS
    tail = sum(
        f.width(config) for f in ALU_FORMAT.fields if f.name in ("alu_opcode", "use_imm", "imm")
    )
    assert tail == config_rules._ALU_WORD1_FIXED_BITS
    # What `_check_requant` relies on: word 0 has one bit more than GEMM's, word 1 as many as ALU's.
    ends = {
        field.name: slot.low_bit + slot.width
        for slot in format_layout(config, REQUANT_FORMAT)
        for field in (slot.field,)
    }
    assert ends["use_mul"] == fixed + 2 * config.log_uop_depth + 1 <= 64
    tail = [f.width(config) for f in REQUANT_FORMAT.fields if f.name.startswith(("shift", "clip"))]
    assert sum(tail) == config_rules._ALU_WORD1_FIXED_BITS
    (base,) = (f for f in MEM_FORMAT.fields if f.name == "sram_base")
    assert base.width(config) == config_rules._SRAM_BASE_BITS
    assert sum(f.width(config) for f in UOP_FIELDS) <= config_rules._UOP_BITS
