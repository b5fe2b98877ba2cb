"""What the cycle model reports: it adds up, and it says what was waited for."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.timing.streams import CONFIG, FINISH, load, loop, nop, random_stream, store, words_of
from vta_pynq.isa.table import MemType, Module, Opcode
from vta_pynq.stream import InstructionStream, StreamLabel
from vta_pynq.timing import StallReason, simulate

TIMED = ["hls-64bit", "hls-128bit", "chisel-64bit"]
INP, WGT, ACC = MemType.INP, MemType.WGT, MemType.ACC


@pytest.mark.parametrize("profile", TIMED)
@pytest.mark.parametrize("seed", range(4))
def test_report_busy_stall_and_idle_add_up(profile, seed):
    print(f"seed {seed}")
    words, tokens = random_stream(100 + seed, 400)
    report = simulate(words, profile, tokens_in=tokens, detail=True)
    detail = report.detail
    parts = [detail[k] for k in ("fetch_stall", "token_stall", "port_stall", "push_stall")]
    assert (np.sum(parts, axis=0) == detail["stall"]).all()
    assert all((part >= 0).all() for part in parts)
    assert (detail["start"] >= detail["issue"]).all()
    assert ((detail["reason"] == StallReason.NONE) == (detail["stall"] == 0)).all()
    for module, cycles in report.modules.items():
        mine = detail[detail["module"] == module]
        assert cycles.instructions == len(mine)
        assert cycles.busy == mine["busy"].sum()
        last = int(mine["end"].max())
        assert cycles.busy + sum(cycles.stalls.values()) == last
        assert cycles.idle == max(0, report.total_cycles - last)
        for reason, total in cycles.stalls.items():
            kind = {StallReason.FETCH: "fetch_stall", StallReason.PORT: "port_stall",
                    StallReason.PUSH: "push_stall"}.get(reason)  # fmt: skip
            expected = (
                mine[kind].sum()
                if kind
                else mine["token_stall"][mine["token_reason"] == reason].sum()
            )
            assert total == expected, reason


def test_detail_names_what_each_instruction_waits_for():
    words = words_of(
        load(INP, 100, push_next=1),
        loop(Opcode.GEMM, 50, pop_prev=1, push_prev=1, push_next=1),
        store(20, pop_prev=1, push_prev=1),
        load(INP, 1, pop_next=1),
        nop(pop_next=1),
        FINISH,
    )
    report = simulate(words, "hls-64bit", memory_latency_cycles=32, detail=True)
    reasons = [StallReason(r).name for r in report.detail["reason"]]
    assert reasons == ["FETCH", "L2G", "G2S", "G2L", "S2G", "NONE"]
    inp = 44 + 9 + 200 + 51
    gemm = inp + 76
    out = gemm + 3 + 40 + 46
    assert report.detail["end"].tolist() == [inp, gemm, out, gemm + 62, out + 15, out + 30]
    compute = report.modules[Module.COMPUTE]
    assert compute.stalls[StallReason.L2G] == inp - 45
    assert compute.stalls[StallReason.S2G] == out - gemm
    assert compute.busy == 76 + 15 + 15
    assert report.total_cycles == out + 30


def test_report_counts_payload_bytes():
    words = words_of(
        load(INP, 6, 3, x_pad_0=2), load(WGT, 2), load(ACC, 4),
        load(MemType.UOP, 5), store(7), FINISH,
    )  # fmt: skip
    moved = simulate(words, "hls-64bit").bytes_moved
    assert [moved[m] for m in MemType] == [20, 512, 288, 256, 112, 0]


def test_by_label_shares_cover_the_run():
    words, tokens = random_stream(8, 90)
    cuts = [0, 10, 55, 91]
    labels = tuple(StreamLabel(a, b, f"l{a}") for a, b in itertools.pairwise(cuts))
    stream = InstructionStream("two", CONFIG, words, tokens_in=tokens, labels=labels)
    report = simulate(stream, "hls-64bit")
    shares = report.by_label(stream.labels)
    assert [share.name for share in shares] == ["l0", "l10", "l55"]
    assert sum(share.cycles for share in shares) == report.end_cycles
    for module, cycles in report.modules.items():
        assert sum(share.busy[module] for share in shares) == cycles.busy
        for reason, stall in cycles.stalls.items():
            assert sum(share.stalls[module][reason] for share in shares) == stall


def test_by_label_of_an_empty_range_is_zero():
    share = simulate(words_of(FINISH), "hls-64bit").by_label([StreamLabel(1, 1, "none")])[0]
    assert (share.cycles, sum(share.busy.values())) == (0, 0)
