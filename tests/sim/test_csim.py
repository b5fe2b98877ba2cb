"""The HLS C++, compiled: conformance cases, counters, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import ROOT
from vta_pynq.config import HwConfig
from vta_pynq.conformance import load_case
from vta_pynq.errors import SimError
from vta_pynq.hls_macros import with_operations
from vta_pynq.isa.encode import INSN_DTYPE, encode
from vta_pynq.isa.table import AluOp, MemType, Opcode
from vta_pynq.sim.csim import CsimEngine
from vta_pynq.sim.csim_build import build_csim
from vta_pynq.sim.engine import Dram, FaultKind, StreamError
from vta_pynq.sim.replay import replay_case

pytestmark = pytest.mark.csim

CONFIG = with_operations(HwConfig())
CASES = sorted(p for p in (ROOT / "tests/conformance").iterdir() if p.is_dir())
INSN_PHYS = 0x10000


def _insn(**fields):
    insn = np.zeros((), INSN_DTYPE)
    for name, value in fields.items():
        insn[name] = value
    return insn


def _run(*insns, engine=None, extra=(), **options):
    words = encode(np.stack(insns), CONFIG)
    page = np.zeros(max(4096, words.nbytes), np.uint8)
    page[: words.nbytes] = words.view(np.uint8).reshape(-1)
    dram = Dram([(INSN_PHYS, page), *extra])
    engine = engine or CsimEngine(CONFIG)
    return engine.run(dram, INSN_PHYS, len(insns), **options)


FINISH = {"opcode": Opcode.FINISH}


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.name)
def test_conformance_case_gives_expected_bytes(path):
    # A missing compiler or header is a failure: a skipped case would look like a passed one.
    result = replay_case(load_case(path), "csim")
    assert result.ok, result.problem


def test_counters_count_turns():
    engine = CsimEngine(CONFIG)
    loops = {"uop_end": 1, "iter_out": 3, "iter_in": 5, "dst_factor_out": 5, "dst_factor_in": 1}
    imm = {"opcode": Opcode.ALU, "alu_opcode": AluOp.ADD, "use_imm": 1}
    gemm = _run(_insn(opcode=Opcode.GEMM, **loops), _insn(**FINISH), engine=engine)
    alu = _run(_insn(**imm, **loops), _insn(**FINISH), engine=engine)
    assert gemm.busy["COMPUTE"] == alu.busy["COMPUTE"] == 15
    assert gemm.insns == {"FETCH": 2, "LOAD": 0, "COMPUTE": 2, "STORE": 0}


def test_alu_source_that_is_held_costs_no_turn():
    loops = {"uop_end": 1, "iter_out": 1, "iter_in": 64, "dst_factor_in": 1, "use_imm": 0}
    # Every micro-op adds element 0, which the first one doubles in place.
    bias = _insn(opcode=Opcode.ALU, alu_opcode=AluOp.MAX, **loops)
    turns = _run(bias, _insn(**FINISH)).busy["COMPUTE"]
    # One turn to read the source, and the interlock's wait for the first result.
    assert 64 < turns <= 64 + 1 + 8


def test_alu_interlock_waits_for_the_result_it_needs():
    loops = {"uop_end": 1, "iter_out": 1, "iter_in": 4, "use_imm": 1, "imm": 3}
    same = _insn(opcode=Opcode.ALU, alu_opcode=AluOp.ADD, **loops)
    assert _run(same, _insn(**FINISH)).busy["COMPUTE"] == 4 + 3 * 7


def test_deadlock_names_who_waits_for_what():
    with pytest.raises(StreamError) as caught:
        _run(
            _insn(opcode=Opcode.LOAD, memory_type=MemType.INP, pop_next=1),
            _insn(opcode=Opcode.FINISH, pop_prev=1),
        )
    assert caught.value.kind is FaultKind.DEADLOCK
    assert caught.value.deadlock
    assert str(caught.value) == (
        "stream: modules must not wait for each other for ever (after fetching 2 instructions): "
        "LOAD waits for token g2l; COMPUTE waits for token l2g; push the token before it is needed"
    )


def test_full_queue_is_a_deadlock():
    waiting = [_insn(opcode=Opcode.LOAD, memory_type=MemType.INP, pop_next=1)] * 520
    with pytest.raises(StreamError) as caught:
        _run(*waiting, _insn(opcode=Opcode.FINISH, push_prev=1))
    assert "FETCH cannot push instructions for LOAD" in str(caught.value)


def test_access_outside_dram_is_refused():
    load = _insn(opcode=Opcode.LOAD, memory_type=MemType.INP, x_size=1, y_size=1, dram_base=1)
    with pytest.raises(StreamError) as caught:
        _run(load, _insn(**FINISH))
    assert caught.value.kind is FaultKind.DRAM_RANGE
    assert caught.value.insn == 0
    assert str(caught.value) == (
        "LOAD: inp_port: access must lie in DRAM, not of 16 bytes at 0x10; "
        "check addresses and buffers"
    )


def test_store_to_read_only_memory_is_refused():
    page = np.zeros(4096, np.uint8)
    page.flags.writeable = False
    store = _insn(opcode=Opcode.STORE, memory_type=MemType.OUT, x_size=1, y_size=1, dram_base=0)
    with pytest.raises(StreamError, match="access must be to writable memory") as caught:
        _run(store, _insn(**FINISH), extra=[(0, page)])
    assert caught.value.kind is FaultKind.DRAM_READONLY


def test_base_pointer_of_half_a_beat_is_refused():
    with pytest.raises(StreamError) as caught:
        CsimEngine(CONFIG).run(Dram([(INSN_PHYS, np.zeros(4096, np.uint8))]), INSN_PHYS + 4, 1)
    assert caught.value.kind is FaultKind.INSN_RANGE
    assert "base pointer must be a multiple of the port's width" in str(caught.value)


def test_stream_that_begins_within_a_page_runs_over_its_end():
    # Bursts end at the page whatever the stream's address; the engine refuses others.
    count = 40
    words = encode(np.stack([_insn(opcode=Opcode.LOAD)] * (count - 1) + [_insn(**FINISH)]), CONFIG)
    pages = np.zeros(8192, np.uint8)
    begin = 4096 - 16 * 10
    pages[begin : begin + words.nbytes] = words.view(np.uint8).reshape(-1)
    result = CsimEngine(CONFIG).run(Dram([(INSN_PHYS, pages)]), INSN_PHYS + begin, count)
    assert result.insns["COMPUTE"] == count


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"opcode": 6}, FaultKind.OPCODE),
        (
            {"opcode": Opcode.LOAD, "memory_type": MemType.OUT, "x_size": 1, "y_size": 1},
            FaultKind.MEMORY_TYPE,
        ),
        ({"opcode": Opcode.ALU, "alu_opcode": 7, "uop_end": 1}, FaultKind.ALU_OPCODE),
        (
            {
                "opcode": Opcode.LOAD,
                "memory_type": MemType.INP,
                "x_size": 1,
                "y_size": 1,
                "sram_base": CONFIG.inp_depth,
            },
            FaultKind.SRAM_RANGE,
        ),
    ],
)
def test_error_register_tells_kind_and_program_ends(fields, kind):
    words = np.zeros((2, 2), np.uint64)
    if fields["opcode"] in tuple(Opcode):
        words[:1] = encode(np.stack([_insn(**fields)]), CONFIG)
    else:
        words[0, 0] = fields["opcode"]
    words[1:] = encode(np.stack([_insn(**FINISH)]), CONFIG)
    page = np.zeros(4096, np.uint8)
    page[: words.nbytes] = words.view(np.uint8).reshape(-1)
    with pytest.raises(StreamError) as caught:
        CsimEngine(CONFIG).run(Dram([(INSN_PHYS, page)]), INSN_PHYS, len(words))
    assert caught.value.kind is kind
    assert caught.value.executed[0] == len(words)


def test_module_that_waits_after_finish_is_a_deadlock():
    # The program is done as far as software sees, and its token would reach the next one.
    with pytest.raises(StreamError) as caught:
        _run(
            _insn(**FINISH),
            _insn(opcode=Opcode.LOAD, memory_type=MemType.INP, pop_next=1),
        )
    assert caught.value.kind is FaultKind.DEADLOCK
    assert "LOAD waits for token g2l" in str(caught.value)


def test_missing_finish_is_told():
    with pytest.raises(StreamError) as caught:
        _run(_insn(opcode=Opcode.LOAD, memory_type=MemType.UOP))
    assert caught.value.kind is FaultKind.NO_FINISH


def test_tokens_left_over_are_kept_until_soft_reset():
    engine = CsimEngine(CONFIG)
    result = _run(
        _insn(opcode=Opcode.LOAD, memory_type=MemType.INP, push_next=1),
        _insn(**FINISH),
        engine=engine,
    )
    assert result.tokens == engine.tokens == (1, 0, 0, 0)
    engine.soft_reset()
    assert engine.tokens == (0, 0, 0, 0)


def test_soft_reset_after_deadlock_lets_the_next_program_run():
    engine = CsimEngine(CONFIG)
    with pytest.raises(StreamError):
        _run(_insn(opcode=Opcode.FINISH, pop_prev=1), engine=engine)
    engine.soft_reset()
    assert _run(_insn(**FINISH), engine=engine).insns["COMPUTE"] == 1


def test_output_buffer_follows_load_and_poison_is_repeatable():
    engine = CsimEngine(CONFIG)
    engine.poison(7)
    first = engine.sram(MemType.ACC)
    engine.poison(7)
    assert np.array_equal(first, engine.sram(MemType.ACC))
    page = np.arange(4096, dtype=np.uint8)
    load = {"opcode": Opcode.LOAD, "memory_type": MemType.ACC, "x_size": 3, "y_size": 1}
    _run(_insn(**load), _insn(**FINISH), engine=engine, extra=[(0, page)])
    acc = engine.sram(MemType.ACC)[:3].view("<i4")
    out = engine.sram(MemType.OUT)[:3].view("i1")
    assert np.array_equal(acc.astype(np.int8), out)
    assert acc.reshape(-1)[0] == page[:4].view("<i4")[0]


def test_run_deadline_stops_a_long_loop():
    forever = {"uop_end": 1000, "iter_out": 10000, "iter_in": 10000}
    with pytest.raises(StreamError, match=r"a run must end within 0\.2 s"):
        _run(_insn(opcode=Opcode.GEMM, **forever), _insn(**FINISH), timeout_s=0.2)


def test_build_without_headers_names_the_package(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SimError) as caught:
        build_csim(CONFIG)
    assert str(caught.value) == (
        "csim: the ap_int headers of hls4ml must be installed; "
        "run 'pip install --no-deps hls4ml' or 'make env'"
    )


def test_build_without_compiler_names_it(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(SimError) as caught:
        build_csim(CONFIG)
    assert str(caught.value) == (
        "csim: a C++ compiler must be installed, and there is no no-such-compiler; set CXX"
    )


def test_full_token_fifo_blocks_the_pushing_module():
    many = [_insn(opcode=Opcode.LOAD, memory_type=MemType.INP, push_next=1)] * 1025
    with pytest.raises(StreamError, match="LOAD cannot push token l2g"):
        _run(*many, _insn(**FINISH))
