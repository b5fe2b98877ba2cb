"""What the device must know about a stream, against a plain decode of it."""

import numpy as np
import pytest

from tests.sim_device.rig import COMPUTE_NOP, CONFIG, FINISH, LOAD_NOP, STORE_NOP, stream
from vta_pynq.isa.encode import decode
from vta_pynq.isa.table import Module, Opcode, module_of
from vta_pynq.sim.streams import StreamFacts


def plain_facts(words):
    insns = decode(words, CONFIG)
    modules = [module_of(int(i["opcode"]), int(i["memory_type"])) for i in insns]
    compute = [i for i, m in zip(insns, modules, strict=True) if m is Module.COMPUTE]
    return (
        {m: modules.count(m) for m in (Module.LOAD, Module.COMPUTE, Module.STORE)},
        bool(compute) and not (compute[0]["pop_prev"] or compute[0]["pop_next"]),
        bool(compute) and compute[-1]["opcode"] == Opcode.FINISH,
    )


def facts(words):
    found = StreamFacts(words.tobytes(), CONFIG)
    return found.counts, found.compute_begins_at_once, found.compute_ends_with_finish


@pytest.mark.parametrize(
    "rows",
    [
        [FINISH],
        [LOAD_NOP],
        [LOAD_NOP, {**COMPUTE_NOP, "pop_prev": 1}, FINISH, STORE_NOP],
        [COMPUTE_NOP, {**FINISH, "pop_next": 1}, COMPUTE_NOP],
        [{**STORE_NOP, "pop_prev": 1}, {**FINISH, "pop_next": 1}],
    ],
)
def test_facts_of_small_streams(rows):
    words = stream(rows, check="raw")
    assert facts(words) == plain_facts(words)


@pytest.mark.parametrize("seed", range(5))
def test_facts_of_random_bits_agree_with_a_decode(seed):
    print("seed", seed)
    rng = np.random.default_rng(seed)
    for length in (1, 2, 7, 100):
        words = rng.integers(0, 1 << 64, (length, 2), np.uint64)
        assert facts(words) == plain_facts(words)


def test_brief_is_a_few_moves_and_nothing_else():
    gemm = {"opcode": Opcode.GEMM, "uop_end": 1, "iter_out": 1, "iter_in": 1}
    assert StreamFacts(stream([FINISH]).tobytes(), CONFIG).is_brief
    assert StreamFacts(stream([LOAD_NOP, STORE_NOP, FINISH]).tobytes(), CONFIG).is_brief
    assert not StreamFacts(stream([gemm, FINISH]).tobytes(), CONFIG).is_brief
    assert not StreamFacts(stream([LOAD_NOP] * 20 + [FINISH]).tobytes(), CONFIG).is_brief
