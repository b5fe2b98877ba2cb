"""REQUANT in the HLS C++: against its definition in whole numbers, and what it costs."""

from __future__ import annotations

import numpy as np
import pytest

from tests.sim.test_csim import FINISH, INSN_PHYS, _insn
from vta_pynq.config import HwConfig
from vta_pynq.errors import SimError
from vta_pynq.hls_macros import with_operations
from vta_pynq.isa.encode import UOP_DTYPE, encode, encode_uops
from vta_pynq.isa.table import AluOp, MemType, Opcode
from vta_pynq.sim.csim import CsimEngine
from vta_pynq.sim.engine import Dram, FaultKind, StreamError

pytestmark = pytest.mark.csim

CONFIG = with_operations(HwConfig().with_capabilities("alu_requant"))
SMALL = tuple(
    HwConfig.from_name(f"{name}+alu_requant")
    for name in ("1x4_i8w8a32_8_6_8_8", "2x4_i8w8a16_8_6_8_8", "1x2_i4w8a8_6_6_6_5")
)
UOP_PHYS, ACC_PHYS = 0x20000, 0x100000
DISTANCE = 12  # VTA_ALU_DISTANCE of a build with REQUANT


def _page(data):
    flat = np.ascontiguousarray(data).view(np.uint8).reshape(-1)
    return np.concatenate([flat, np.zeros(-len(flat) % 4096, np.uint8)])


def _run(config, acc, uops, *insns, more=()):
    """The accumulators after LOAD UOP, LOAD ACC and `insns`; and the engine's result."""
    engine = CsimEngine(config, more=more)
    load = {"opcode": Opcode.LOAD, "y_size": 1}
    words = encode(
        np.stack(
            [
                _insn(**load, memory_type=MemType.UOP, x_size=len(uops), dram_base=UOP_PHYS // 4),
                _insn(
                    **load,
                    memory_type=MemType.ACC,
                    x_size=len(acc),
                    dram_base=ACC_PHYS // config.acc_bytes,
                ),
                *insns,
                _insn(**FINISH),
            ]
        ),
        config,
    )
    places = ((INSN_PHYS, words), (UOP_PHYS, encode_uops(uops, config)), (ACC_PHYS, acc))
    dram = Dram([(phys, _page(data)) for phys, data in places])
    result = engine.run(dram, INSN_PHYS, len(words))
    found = engine.sram(MemType.ACC).reshape(-1).view(acc.dtype).reshape(acc.shape)
    low = engine.sram(MemType.OUT)
    if config.out_width == 8:
        assert np.array_equal(low.view(np.int8).reshape(acc.shape), found.astype(np.int8))
    return found, result


def _wrap(values, width):
    return (values + (1 << width - 1)) % (1 << width) - (1 << width - 1)


def _requant(config, acc, uops, insn):
    """What the definition says, one lane at a time, in Python's whole numbers."""
    width, depth = config.acc_width, config.acc_depth
    acc = acc.astype(object)
    for out in range(int(insn["iter_out"])):
        for inner in range(int(insn["iter_in"])):
            for uop in uops:
                d, s = (
                    int(uop[f"{name}_idx"])
                    + out * int(insn[f"{name}_factor_out"])
                    + inner * int(insn[f"{name}_factor_in"])
                    for name in ("dst", "src")
                )
                d, s = d % depth, s % depth
                value = acc[d].copy()
                factor = _wrap(acc[(s + 1) % depth if insn["use_bias"] else s], 16)
                if insn["use_bias"]:
                    value = _wrap(value + acc[s], width)
                if insn["use_mul"]:
                    value = value * factor
                shift = int(insn["shift"])
                value = (value + ((1 << shift) >> 1)) >> shift
                low, high = int(insn["clip_lo"]), int(insn["clip_hi"])
                acc[d] = _wrap(np.minimum(np.maximum(value, low), high), width)
    return acc


def _random(rng, config):
    depth = config.acc_depth
    count = int(rng.integers(1, min(16, config.uop_depth)))
    uops = np.zeros(count, UOP_DTYPE)
    uops["dst_idx"] = rng.integers(0, rng.integers(1, depth + 1), count)
    uops["src_idx"] = rng.integers(0, depth, count if rng.integers(2) else 1)
    fields = {name: int(rng.integers(0, 4)) for name in ("dst_factor_out", "dst_factor_in")}
    if rng.integers(2):
        fields |= {"src_factor_out": int(rng.integers(0, 4)), "src_factor_in": 1}
    fields |= {"use_bias": int(rng.integers(2)), "use_mul": int(rng.integers(2))}
    fields |= {"shift": int(rng.integers(0, 32)), "uop_end": count}
    fields |= {"clip_lo": int(rng.integers(-128, 128)), "clip_hi": int(rng.integers(0, 128))}
    fields |= {"iter_out": int(rng.integers(1, 4)), "iter_in": int(rng.integers(1, 4))}
    lanes = config.batch * config.block
    bits = config.acc_width
    acc = rng.integers(-(1 << bits - 1), 1 << bits - 1, (depth, lanes), np.int64)
    acc >>= rng.integers(0, bits, (depth, 1))
    return acc.astype(f"<i{bits // 8}"), uops, _insn(opcode=Opcode.REQUANT, **fields)


def _agree(config, seed, programs):
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    for _ in range(programs):
        acc, uops, insn = _random(rng, config)
        found, _ = _run(config, acc, uops, insn)
        assert np.array_equal(found.astype(object), _requant(config, acc, uops, insn))


def test_requant_default_configuration_is_its_definition(request):
    _agree(CONFIG, int(request.config.getoption("hypothesis_seed")), 8)


@pytest.mark.slow
@pytest.mark.parametrize("config", SMALL, ids=str)
def test_requant_other_widths_are_its_definition(config, request):
    _agree(config, int(request.config.getoption("hypothesis_seed")), 60)


@pytest.mark.parametrize(
    ("flags", "fills"),
    [({}, 0), ({"use_bias": 1}, 1), ({"use_mul": 1}, 1), ({"use_bias": 1, "use_mul": 1}, 2)],
)
def test_requant_source_that_stays_costs_its_registers_once(flags, fills):
    # 40 pixels of two channels, a channel at a time: src changes once.
    uops = np.zeros(2, UOP_DTYPE)
    uops["dst_idx"], uops["src_idx"] = (0, 40), (100, 102)
    loops = {"iter_out": 1, "iter_in": 40, "dst_factor_in": 1, "clip_hi": 127}
    insns = [
        _insn(opcode=Opcode.REQUANT, uop_bgn=u, uop_end=u + 1, **loops, **flags) for u in (0, 1)
    ]
    acc = np.zeros((CONFIG.acc_depth, 16), "<i4")
    base = _run(CONFIG, acc, uops)[1].busy["COMPUTE"]
    turns = _run(CONFIG, acc, uops, *insns)[1].busy["COMPUTE"] - base
    assert turns == 2 * (40 + fills)


def test_requant_result_that_is_needed_waits_for_the_pipeline():
    uops = np.zeros(1, UOP_DTYPE)
    insn = _insn(opcode=Opcode.REQUANT, uop_end=1, iter_out=1, iter_in=4, clip_hi=127)
    acc = np.zeros((CONFIG.acc_depth, 16), "<i4")
    base = _run(CONFIG, acc, uops)[1].busy["COMPUTE"]
    turns = _run(CONFIG, acc, uops, insn)[1].busy["COMPUTE"] - base
    assert turns == 4 + 3 * (DISTANCE - 1)


@pytest.mark.slow
def test_distance_that_is_not_kept_is_found():
    # One turn more than the pipeline promises: what the design waits is then too little.
    uops = np.zeros(1, UOP_DTYPE)
    loops = {"uop_end": 1, "iter_out": 1, "iter_in": 4}
    add = _insn(opcode=Opcode.ALU, alu_opcode=AluOp.ADD, use_imm=1, imm=1, **loops)
    acc = np.zeros((CONFIG.acc_depth, 16), "<i4")
    with pytest.raises(SimError) as caught:
        _run(CONFIG, acc, uops, add, more=("-DVTA_CSIM_SLACK=1",))
    assert str(caught.value) == (
        f"csim: COMPUTE: element 0 is read {DISTANCE} turns after it was written, which is too "
        "early; compare with the fast engine"
    )


@pytest.mark.slow
def test_gemm_distance_that_is_not_kept_is_found():
    uops = np.zeros(5, UOP_DTYPE)
    uops["dst_idx"] = range(5)
    gemm = _insn(opcode=Opcode.GEMM, uop_end=5, iter_out=1, iter_in=2)
    acc = np.zeros((CONFIG.acc_depth, 16), "<i4")
    _run(CONFIG, acc, uops, gemm)
    with pytest.raises(SimError, match="element 0 is read 5 turns after it was written"):
        _run(CONFIG, acc, uops, gemm, more=("-DVTA_CSIM_SLACK=1",))


def test_requant_without_the_capability_is_an_unknown_opcode():
    config = with_operations(HwConfig())
    insn = _insn(opcode=Opcode.REQUANT, uop_end=1, iter_out=1, iter_in=1)
    words = encode(np.stack([insn]), CONFIG)
    words = np.concatenate([words, encode(np.stack([_insn(**FINISH)]), config)])
    with pytest.raises(StreamError) as caught:
        CsimEngine(config).run(Dram([(INSN_PHYS, _page(words))]), INSN_PHYS, 2)
    assert caught.value.kind is FaultKind.OPCODE
    assert str(caught.value) == (
        "FETCH: opcode must be one that the build has; run 'vta lint' to find the instruction"
    )
