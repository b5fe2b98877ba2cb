"""The event engine: agreement, stalls, queues, tokens, ports, dead-locks."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

import numpy as np
import pytest

from tests.timing import reference_model
from tests.timing.streams import CONFIG, FINISH, load, loop, nop, random_stream, store, words_of
from vta_pynq.conformance import load_case
from vta_pynq.errors import SimError, VtaError
from vta_pynq.isa.encode import decode
from vta_pynq.isa.table import MemType, Module, Opcode
from vta_pynq.stream import InstructionStream
from vta_pynq.timing import PROFILES, StallReason, simulate
from vta_pynq.timing.parameters import MemoryPort

CASES = sorted((Path(__file__).parents[1] / "conformance").glob("*/meta.json"))
RECORDED = {"hls-128bit": "hls_rtl_L10", "chisel-64bit": "chisel_rtl_L10"}
TIMED = ["hls-64bit", "hls-128bit", "chisel-64bit"]
INP, WGT, ACC = MemType.INP, MemType.WGT, MemType.ACC


def _recorded(profile):
    pairs = []
    for path in CASES:
        case = load_case(path.parent)
        cycles = case.meta.get("cycles", {}).get(RECORDED[profile], 0)
        if cycles:  # 0: the RTL hangs
            report = simulate(case.stream, profile, memory_latency_cycles=10)
            pairs.append((case.name, report.total_cycles, cycles))
    return pairs


@pytest.mark.parametrize("profile", RECORDED)
def test_simulate_recorded_rtl_counts_within_the_bounds(profile):
    pairs = _recorded(profile)
    errors = np.array([abs(got - rtl) / rtl for _, got, rtl in pairs])
    assert len(errors) >= 85
    assert errors.mean() <= 0.01
    assert errors.max() <= 0.08


@pytest.mark.parametrize("profile", RECORDED)
def test_simulate_recorded_rtl_counts_exactly(profile):
    assert [name for name, got, rtl in _recorded(profile) if got != rtl] == []


def _equals_reference(profile, seed, count, serial=False):
    print(f"seed {seed}")
    latency = (1, 10, 32, 3)[seed % 4]
    words, tokens = random_stream(seed, count)
    expected = reference_model.run(decode(words, CONFIG), profile, latency, tokens, serial)
    report = simulate(
        words, profile, memory_latency_cycles=latency, tokens_in=tokens, detail=True, serial=serial
    )
    assert report.detail["start"].tolist() == expected.start
    assert report.detail["end"].tolist() == expected.end
    assert report.total_cycles == expected.total


@pytest.mark.parametrize("profile", TIMED)
@pytest.mark.parametrize("seed", range(12))
def test_simulate_random_streams_equal_reference(profile, seed):
    _equals_reference(profile, seed, 300 if seed == 0 else 60)


@pytest.mark.parametrize("profile", TIMED)
@pytest.mark.parametrize("seed", range(20, 26))
def test_simulate_serial_random_streams_equal_reference(profile, seed):
    _equals_reference(profile, seed, 60, serial=True)


@pytest.mark.parametrize("profile", TIMED)
def test_simulate_serial_executes_one_instruction_at_a_time(profile):
    words, tokens = random_stream(31, 80)
    report = simulate(words, profile, tokens_in=tokens, detail=True, serial=True)
    rows = report.detail[np.argsort(report.detail["start"], kind="stable")]
    assert (rows["start"][1:] >= (rows["end"] - rows["push_stall"])[:-1]).all()
    hidden = simulate(words, profile, tokens_in=tokens)
    assert report.end_cycles >= sum(cycles.busy for cycles in report.modules.values())
    assert report.bytes_moved == hidden.bytes_moved


def test_simulate_serial_takes_the_earliest_instruction_that_has_its_tokens():
    words = words_of(
        load(INP, 10), store(4, pop_prev=1), loop(Opcode.GEMM, 10, push_next=1), load(INP, 10),
        FINISH,
    )  # fmt: skip
    report = simulate(words, "hls-64bit", detail=True, serial=True)
    first, stored, gemm, second, finish = report.detail
    # The store lacks its token at first; it then comes before the load behind it in the stream.
    assert [gemm["start"], stored["start"]] == [first["end"], gemm["end"]]
    assert [second["start"], finish["start"]] == [stored["end"], second["end"]]
    load_cycles = report.modules[Module.LOAD]
    assert load_cycles.stalls[StallReason.TURN] == stored["end"] - first["end"]
    assert StallReason(second["reason"]) is StallReason.TURN
    store_cycles = report.modules[Module.STORE]
    assert store_cycles.stalls[StallReason.G2S] == gemm["end"] - 45
    assert store_cycles.stalls[StallReason.TURN] == 0


@pytest.mark.slow
@pytest.mark.parametrize("profile", TIMED)
def test_simulate_many_random_streams_equal_reference(profile):
    for seed in range(1000, 1150):
        _equals_reference(profile, seed, 400 if seed % 25 == 0 else 60, serial=seed % 3 == 0)


@pytest.mark.parametrize("profile", TIMED)
def test_simulate_twice_gives_the_same_report(profile):
    words, tokens = random_stream(5)
    first, second = (simulate(words, profile, tokens_in=tokens, detail=True) for _ in range(2))
    assert first.modules == second.modules
    assert (first.detail == second.detail).all()


@pytest.mark.parametrize(
    ("profile", "latency", "cycles"),
    [
        ("hls-128bit", 1, 24), ("hls-128bit", 10, 33), ("hls-128bit", 40, 63),
        ("chisel-64bit", 1, 8), ("chisel-64bit", 10, 17), ("chisel-64bit", 40, 47),
        ("hls-64bit", 32, 12 + 32 + 15),
    ],
)  # fmt: skip
def test_simulate_finish_only_takes_launch_to_done(profile, latency, cycles):
    report = simulate(words_of(FINISH), profile, memory_latency_cycles=latency)
    assert report.total_cycles == cycles


def test_simulate_hls_fetch_hands_out_one_instruction_a_cycle():
    report = simulate(words_of(*[nop(INP)] * 5, FINISH), "hls-64bit", detail=True)
    assert report.detail["issue"].tolist() == [44 + i for i in range(6)]


def test_simulate_chisel_fetch_reads_the_next_chunk_after_handing_out():
    report = simulate(words_of(*[nop()] * 300, FINISH), "chisel-64bit", memory_latency_cycles=10)
    detail = report.rows
    first = 2 * 128 + 10 + 4
    second = first + 127 + 2 * 128 + 10 + 4
    third = second + 127 + 2 * 45 + 10 + 4
    assert detail["issue"][[0, 127, 128, 256]].tolist() == [first, first + 127, second, third]


def test_simulate_tokens_in_let_the_first_instruction_start():
    words = words_of(loop(Opcode.GEMM, 10, pop_prev=1), FINISH)
    report = simulate(words, "hls-64bit", tokens_in=(1, 0, 0, 0))
    assert report.total_cycles == 44 + 36 + 15
    with pytest.raises(SimError):
        simulate(words, "hls-64bit")


def test_simulate_stream_brings_its_tokens_and_config():
    words = words_of(loop(Opcode.GEMM, 10, pop_prev=1), FINISH)
    stream = InstructionStream("s", CONFIG, words, tokens_in=(1, 0, 0, 0))
    assert simulate(stream, PROFILES["hls-64bit"]).total_cycles == 95
    assert simulate(words.tobytes(), "hls-64bit", tokens_in=(1, 0, 0, 0)).total_cycles == 95


@pytest.mark.parametrize("tokens", [(0, 0, 0), (0, 0, -1, 0), (0, 0, 0, 1 << 40)])
def test_simulate_impossible_tokens_in_are_refused(tokens):
    with pytest.raises(SimError) as caught:
        simulate(words_of(FINISH), "hls-64bit", tokens_in=tokens)
    assert str(caught.value) == (
        f"cycle model: tokens_in must be 4 counts in 0..1048576, not {tokens!r}"
    )


def test_simulate_missing_token_is_explained():
    with pytest.raises(SimError) as caught:
        simulate(words_of(nop(INP), store(4, pop_prev=1), FINISH), "hls-64bit")
    assert str(caught.value) == (
        "cycle model: stream must not dead-lock on hls-64bit, but store waits at insn 1 STORE OUT "
        "for a g2s token from compute; "
        "run 'vta lint' to find the instruction that breaks the balance"
    )


@pytest.mark.parametrize(
    ("profile", "holds"), [("chisel-64bit", 512), ("hls-64bit", 515), ("hls-128bit", 515)]
)
def test_simulate_full_queue_dead_locks_as_measured(profile, holds):
    def stream(loads):
        waiting = [nop(INP, pop_next=1)] + [nop(INP)] * (loads - 1)
        return words_of(*waiting, nop(push_prev=1), FINISH)

    assert simulate(stream(holds), profile).instructions == holds + 2
    with pytest.raises(SimError) as caught:
        simulate(stream(holds + 1), profile)
    assert str(caught.value) == (
        f"cycle model: stream must not dead-lock on {profile}, but load waits at insn 0 LOAD INP "
        f"for a g2l token from compute; fetch waits at insn {holds} LOAD INP for room in the full "
        "load queue; run 'vta lint' to find the instruction that breaks the balance"
    )


def test_simulate_full_queue_stalls_fetch_until_an_instruction_ends():
    slow = [load(WGT, 100)] + [nop(INP)] * 600
    report = simulate(words_of(*slow, nop(), FINISH), "hls-64bit", detail=True)
    first_end = report.detail["end"][0]
    assert report.detail["issue"][514] == 44 + 514
    assert report.detail["issue"][515] == first_end
    assert report.detail["issue"][601] > first_end


def test_simulate_chisel_loses_tokens_beyond_256():
    def stream(pushes):
        return words_of(
            *[nop(push_prev=1)] * pushes, *[nop(INP, pop_next=1)] * pushes,
            nop(INP, push_next=1), nop(pop_prev=1), FINISH,
        )  # fmt: skip

    # The loads come after every push: fetch must reach them, which queues of 512 allow.
    words = stream(300)
    with pytest.raises(SimError, match=r"saturated counters lost tokens: \d+ g2l"):
        simulate(
            np.concatenate([words[:300], words_of(*[nop()] * 600), words[300:]]), "chisel-64bit"
        )
    words = stream(256)
    delayed = np.concatenate([words[:256], words_of(*[nop()] * 600), words[256:]])
    assert simulate(delayed, "chisel-64bit").lost_tokens["g2l"] == 0


def test_simulate_hls_push_waits_for_room_in_the_counter():
    pushes = [nop(push_prev=1)] * 3
    words = words_of(*pushes, load(WGT, 50), *[nop(INP, pop_next=1)] * 3, FINISH)
    tight = dataclasses.replace(PROFILES["hls-64bit"], token_capacity=1)
    report = simulate(words, tight, detail=True)
    wgt_end = int(report.detail["end"][3])
    assert report.detail["end"][[0, 1, 2]].tolist() == [59, wgt_end, wgt_end + 15]
    assert report.modules[Module.COMPUTE].stalls[StallReason.PUSH] == wgt_end - 74
    assert StallReason(report.detail["reason"][1]) is StallReason.PUSH


def test_simulate_token_that_cannot_be_pushed_is_explained():
    words = words_of(*[nop(push_prev=1)] * 3, FINISH)
    tight = dataclasses.replace(PROFILES["hls-64bit"], token_capacity=2)
    with pytest.raises(SimError) as caught:
        simulate(words, tight)
    assert str(caught.value) == (
        "cycle model: stream must not dead-lock on hls-64bit, but compute waits at insn 2 LOAD UOP "
        "to push a g2l token, of which load has 2; "
        "run 'vta lint' to find the instruction that breaks the balance"
    )


def test_simulate_shared_port_delays_the_later_client():
    words = words_of(load(INP, 100), load(ACC, 100), FINISH)
    own = simulate(words, "chisel-64bit", memory_latency_cycles=10, detail=True)
    apart = dataclasses.replace(
        PROFILES["chisel-64bit"].timing,
        ports=(
            MemoryPort(8, ("fetch",)), MemoryPort(8, ("inp", "wgt")), MemoryPort(8, ("uop", "acc")),
            MemoryPort(8, ("out",)),
        ),
    )  # fmt: skip
    free = dataclasses.replace(PROFILES["chisel-64bit"], timing=apart)
    separate = simulate(words, free, memory_latency_cycles=10, detail=True)
    assert separate.detail["port_stall"].tolist() == [0, 0, 0]
    # ACC may start its 800 beats one cycle after INP started its 200.
    assert own.detail["port_stall"].tolist() == [0, 199, 0]
    assert own.total_cycles == separate.total_cycles + 199
    assert own.modules[Module.COMPUTE].stalls[StallReason.PORT] == 199
    assert own.port_cycles == (6 + 200 + 800, 0)
    assert separate.port_cycles == (0, 0, 0, 0)


def test_simulate_port_latency_adds_to_its_clients_only():
    words = words_of(load(INP, 4), store(4), load(ACC, 1), FINISH)
    timing = PROFILES["hls-64bit"].timing
    ports = tuple(
        dataclasses.replace(port, extra_latency={"fetch": 7, "out": 5}.get(port.clients[0], 0))
        for port in timing.ports
    )
    slow = dataclasses.replace(
        PROFILES["hls-64bit"], timing=dataclasses.replace(timing, ports=ports)
    )
    plain, late = (simulate(words, p, detail=True).detail for p in ("hls-64bit", slow))
    assert (late["start"] - plain["start"]).tolist() == [7, 7, 7, 7]
    taken = (late["end"] - late["start"]) - (plain["end"] - plain["start"])
    assert taken.tolist() == [0, 5, 0, 0]


def test_simulate_chisel_fetch_competes_for_the_read_port():
    words = words_of(*[nop()] * 127, load(INP, 1000), *[nop()] * 10, FINISH)
    report = simulate(words, "chisel-64bit", memory_latency_cycles=10, detail=True)
    load_start = report.detail["start"][127]
    # The second chunk is asked for when the load is handed out, and fetch is first among equals.
    assert report.detail["issue"][128] == load_start + 2 * 11 + 14
    assert report.detail["port_stall"][127] == 2 * 11


def test_simulate_without_finish_ends_with_the_last_instruction():
    report = simulate(words_of(loop(Opcode.GEMM, 10)), "hls-128bit", memory_latency_cycles=10)
    assert report.total_cycles == report.end_cycles == 22 + 36


def test_simulate_empty_stream_takes_no_time():
    report = simulate(b"", "chisel-64bit", detail=True)
    assert (report.total_cycles, len(report.detail)) == (0, 0)


def test_simulate_longer_than_the_clock_is_refused():
    endless = loop(Opcode.GEMM, 0, iter_out=0, uop_end=0)
    assert simulate(words_of(endless, FINISH), "chisel-64bit").total_cycles > 1 << 42
    with pytest.raises(SimError) as caught:
        simulate(np.tile(words_of(endless), (1 << 20, 1)), "chisel-64bit")
    assert str(caught.value) == (
        f"cycle model: stream must take fewer than {1 << 62} cycles; look for loop counts that wrap"
    )


@pytest.mark.parametrize("profile", TIMED)
def test_simulate_random_bytes_report_or_raise(profile):
    seed = 2024
    print(f"seed {seed}")
    rng = random.Random(seed)
    outcomes = set()
    for _ in range(300):
        data = rng.randbytes(16 * rng.randrange(1, 40))
        try:
            outcomes.add(type(simulate(data, profile, detail=True)))
        except VtaError as error:
            outcomes.add(type(error))
    assert SimError in outcomes


@pytest.mark.parametrize("profile", TIMED)
def test_simulate_mutated_cases_report_or_raise(profile):
    seed = 77
    print(f"seed {seed}")
    rng = random.Random(seed)
    words = load_case(CASES[0].parent.parent / "isa_double_buffer").stream.words
    ended = 0
    for _ in range(300):
        data = bytearray(words.tobytes())
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        try:
            report = simulate(bytes(data), profile)
        except VtaError:
            continue
        ended += 1
        assert report.end_cycles > 0
    assert ended > 20
