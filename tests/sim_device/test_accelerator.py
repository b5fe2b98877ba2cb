"""The accelerator's model: when a run starts, what the registers show while it runs and after."""

import itertools
import threading

import numpy as np
import pytest

from tests.sim_device.rig import (
    COMPUTE_NOP,
    CONFIG,
    DEADLINE_S,
    FINISH,
    LOAD_NOP,
    STORE_NOP,
    Gate,
    stream,
)
from vta_pynq.errors import SimError
from vta_pynq.isa.registers import PUBLISHED
from vta_pynq.isa.table import INSN_BYTES, Module
from vta_pynq.sim.accelerator import AcceleratorModel, Outcome
from vta_pynq.sim.dram import DramImages
from vta_pynq.sim.slaves import Traffic
from vta_pynq.sim.streams import StreamFacts

BASE = 0x1000_0000
START, DONE, IDLE, AUTO = 0x01, 0x02, 0x04, 0x80


class ScriptedEngine:
    """Stands for the engine: executes nothing, and comes to rest as it was told."""

    def __init__(self, dram):
        self.runs = []
        self.outcome = None
        self.error = None
        self.dram = dram

    def run(self, insn_phys, insn_count, bases, reports_errors=False):
        self.runs.append((insn_phys, insn_count, dict(bases)))
        if self.error is not None:
            raise self.error
        if self.outcome is not None:
            return self.outcome
        raw = self.dram.device[insn_phys - BASE :][: insn_count * INSN_BYTES]
        counts = StreamFacts(raw.tobytes(), CONFIG).counts
        executed = (insn_count, *(counts[m] for m in list(Module)[1:]))
        return Outcome(stuck=False, executed=executed, all_fetched=True)


class Bench:
    """The model with its registers by name and a stream in memory."""

    def __init__(self, rows, gate=None):
        self.lock = threading.RLock()
        self.dram = DramImages(BASE, 1 << 16)
        self.engine = ScriptedEngine(self.dram)
        self.model = AcceleratorModel(PUBLISHED, CONFIG, self.dram, self.engine, self.lock, gate)
        self.slaves = {name: Traffic(b, self.lock) for name, b in self.model.blocks.items()}
        self.load(rows)

    def load(self, rows):
        self.words = stream(rows, check="raw")
        self.dram.device[: self.words.nbytes] = self.words.view(np.uint8).reshape(-1)
        self.write("fetch", "insn_count", len(self.words))
        self.write("fetch", "insns", BASE)

    def write(self, block, register, value):
        offset = PUBLISHED.block(Module[block.upper()]).register(register).offset
        self.slaves[block].write(offset, value)

    def read(self, block, register="CTRL"):
        offset = PUBLISHED.block(Module[block.upper()]).register(register).offset
        return self.slaves[block].read(offset)

    def serve(self):
        for block in ("load", "compute", "store"):
            self.write(block, "CTRL", START | AUTO)

    def start(self):
        self.write("fetch", "CTRL", START)

    def settle(self):
        """Wait for the worker to have done all it was given."""
        assert self.model._worker.submit(lambda: None).wait(DEADLINE_S)

    def go(self):
        self.start()
        self.settle()


FULL = [LOAD_NOP, COMPUTE_NOP, STORE_NOP, FINISH]


@pytest.mark.parametrize(
    "order", list(itertools.permutations(("fetch", "load", "compute", "store")))
)
def test_start_in_any_order_runs_once_when_all_are_started(order):
    bench = Bench(FULL)
    for position, block in enumerate(order):
        assert len(bench.engine.runs) == 0, f"ran before {order[position:]} were started"
        bench.write(block, "CTRL", START if block == "fetch" else START | AUTO)
    bench.settle()
    assert len(bench.engine.runs) == 1
    assert bench.read("compute", "done_o") == 1


def test_start_of_a_stream_that_needs_compute_only_does_not_wait_for_the_others():
    bench = Bench([FINISH])
    bench.write("compute", "CTRL", START)
    bench.go()
    assert bench.read("compute", "done_o") == 1
    assert bench.read("compute") == DONE | IDLE


def test_start_of_a_block_once_does_not_serve_two_instructions():
    bench = Bench([COMPUTE_NOP, FINISH])
    bench.write("compute", "CTRL", START)
    bench.go()
    assert bench.engine.runs == []
    bench.write("compute", "CTRL", START | AUTO)
    bench.settle()
    assert len(bench.engine.runs) == 1


def test_run_passes_address_count_and_base_pointers():
    bench = Bench(FULL)
    bench.serve()
    values = {"inputs": 1, "weights": 2, "uops": 3, "biases": 4, "outputs": 5}
    for block, register in (
        ("load", "inputs"), ("load", "weights"), ("compute", "uops"), ("compute", "biases"),
        ("store", "outputs"),
    ):  # fmt: skip
        bench.write(block, register, values[register])
    bench.go()
    phys, count, bases = bench.engine.runs[0]
    assert (phys, count) == (BASE, 4)
    assert {name: bases[name] for name in values} == values


def test_done_flag_stays_stale_until_the_next_run_writes_it():
    gate = Gate()
    bench = Bench(FULL, gate)
    bench.serve()
    bench.go()
    assert (bench.read("compute", "done_o"), bench.read("compute", "done_o_ctrl")) == (1, 1)
    gate.close("fetch")
    gate.close("compute")
    bench.start()
    gate.reached("fetch")
    assert (bench.read("compute", "done_o"), bench.read("compute", "done_o_ctrl")) == (1, 0)
    gate.open("fetch")
    gate.reached("compute")
    assert (bench.read("compute", "done_o"), bench.read("compute", "done_o_ctrl")) == (0, 1)
    assert bench.read("fetch") == START | DONE, "the completion of the run before, not yet read"
    gate.open("compute")
    bench.settle()
    assert (bench.read("compute", "done_o"), bench.read("compute", "done_o_ctrl")) == (1, 1)
    assert bench.read("fetch") == DONE | IDLE


def test_done_flag_stays_stale_while_the_first_compute_instruction_waits_for_a_token():
    gate = Gate()
    bench = Bench(FULL, gate)
    bench.serve()
    bench.go()
    bench.read("compute", "done_o_ctrl")
    bench.load([{**LOAD_NOP, "push_next": 1}, {**FINISH, "pop_prev": 1}])
    gate.close("done")
    bench.start()
    gate.reached("done")
    assert (bench.read("compute", "done_o"), bench.read("compute", "done_o_ctrl")) == (1, 0)
    gate.open("done")
    bench.settle()
    assert (bench.read("compute", "done_o"), bench.read("compute", "done_o_ctrl")) == (1, 1)


def test_stream_without_compute_instructions_leaves_the_done_flag_alone():
    bench = Bench(FULL)
    bench.serve()
    bench.go()
    bench.read("compute", "done_o_ctrl")
    bench.load([LOAD_NOP])
    bench.go()
    assert (bench.read("compute", "done_o"), bench.read("compute", "done_o_ctrl")) == (1, 0)
    assert bench.read("fetch") == DONE | IDLE


def test_stream_without_finish_clears_the_done_flag_and_frees_fetch():
    bench = Bench(FULL)
    bench.serve()
    bench.go()
    bench.load([COMPUTE_NOP])
    bench.go()
    assert bench.read("compute", "done_o") == 0
    assert bench.read("fetch") & IDLE


def test_modules_report_done_only_if_they_had_instructions():
    bench = Bench([LOAD_NOP, FINISH])
    bench.serve()
    bench.go()
    done = {block: bool(bench.read(block) & DONE) for block in ("load", "compute", "store")}
    assert done == {"load": True, "compute": True, "store": False}


def test_stuck_run_never_finishes_and_nothing_runs_afterwards():
    bench = Bench(FULL)
    bench.serve()
    bench.engine.outcome = Outcome(stuck=True, executed=(4, 1, 1, 0), all_fetched=True)
    bench.go()
    assert bench.read("compute", "done_o") == 0
    assert bench.read("fetch") == DONE | IDLE
    bench.start()
    bench.settle()
    assert len(bench.engine.runs) == 1
    assert bench.read("fetch") == START


def test_stuck_run_with_full_queues_keeps_fetch_busy():
    bench = Bench([{**FINISH, "pop_prev": 1}])
    bench.serve()
    bench.engine.outcome = Outcome(stuck=True, executed=(2, 0, 0, 0), all_fetched=False)
    bench.go()
    assert bench.read("fetch") == START
    assert bench.read("compute", "done_o_ctrl") == 0


def test_run_stuck_behind_finish_shows_done_as_hardware_does():
    bench = Bench(FULL)
    bench.serve()
    bench.engine.outcome = Outcome(stuck=True, executed=(4, 1, 2, 0), all_fetched=True)
    bench.go()
    assert bench.read("compute", "done_o") == 1


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (SimError("insn 3 STORE: DECERR"), "insn 3 STORE: DECERR"),
        (MemoryError("no room"), "engine: no room"),
    ],
)
def test_engine_error_is_raised_by_every_later_register_access(error, message):
    bench = Bench(FULL)
    bench.serve()
    bench.engine.error = error
    bench.go()
    for _ in range(2):
        with pytest.raises(SimError) as caught:
            bench.read("load")
        assert str(caught.value) == message
    with pytest.raises(SimError):
        bench.start()


def test_stop_waits_for_the_run_so_that_it_writes_nothing_later():
    gate = Gate()
    bench = Bench(FULL, gate)
    bench.serve()
    gate.close("done")
    bench.start()
    gate.reached("done")
    stopped = threading.Event()
    stopper = threading.Thread(target=lambda: (bench.model.stop(), stopped.set()))
    stopper.start()
    assert not stopped.wait(0.1)
    gate.open("done")
    assert stopped.wait(DEADLINE_S)
    stopper.join()


def test_fetch_with_auto_restart_runs_again_until_it_is_cleared():
    bench = Bench([FINISH])
    bench.serve()
    bench.write("fetch", "CTRL", START | AUTO)
    deadline = threading.Event()
    while len(bench.engine.runs) < 3:
        assert not deadline.wait(0.001)
    bench.write("fetch", "CTRL", 0)
    bench.model.stop()
    runs = len(bench.engine.runs)
    bench.settle()
    assert len(bench.engine.runs) == runs


def test_worker_thread_goes_away_when_idle(monkeypatch):
    monkeypatch.setattr("vta_pynq.sim.worker._IDLE_S", 0.01)
    bench = Bench([FINISH])
    bench.serve()
    bench.go()
    thread = bench.model._worker._thread
    if thread is not None:
        thread.join(DEADLINE_S)
        assert not thread.is_alive()
    bench.go()
    assert len(bench.engine.runs) == 2
