"""The simulated control block: registers, status, interrupt and soft reset, through the bus."""

from __future__ import annotations

import threading

import pytest

from tests.sim_device.own_rig import ControlBus, bit, open_own, run_words
from tests.sim_device.rig import COMPUTE_NOP, FINISH, LOAD_NOP, STORE_NOP, Gate, put, stream
from vta_pynq.config import HwConfig
from vta_pynq.isa.control_block import CONTROL, COUNTERS, control_parameters
from vta_pynq.isa.registers import Access, SideEffect
from vta_pynq.isa.table import AluOp, MemType, Opcode

DONE, ERROR, RUNNING = (bit("STATUS", name) for name in ("DONE", "ERROR", "RUNNING"))
REQUEST, PENDING = bit("RESET", "REQUEST"), bit("RESET", "PENDING")
FORCE = bit("RESET", "FORCE")
WORD = 0xFFFFFFFF


@pytest.fixture
def overlay():
    with open_own() as opened:
        yield opened


@pytest.fixture
def bus(overlay):
    return ControlBus(overlay)


def test_registers_read_and_write_as_the_table_says(overlay, bus):
    fixed = control_parameters(overlay.config)
    for register in CONTROL.registers:
        assert bus.read(register.name) == fixed.get(register.name, register.reset)
    for register in CONTROL.registers:
        for pattern in (WORD, 0, 0xA5A5A5A5, 0x5A5A5A5A):
            mask = 0
            if register.access is Access.READ_WRITE:
                mask = sum(
                    field.mask
                    for field in register.fields
                    if field.access is Access.READ_WRITE and field.side_effect is SideEffect.NONE
                )
            before = bus.read(register.name)
            bus.write(register.name, pattern)
            assert bus.read(register.name) == before & ~mask | pattern & mask, register.name


def test_identity_is_what_the_bitstream_was_built_with():
    built = HwConfig.from_name("1x16_i8w8a32_15_15_18_17+identity+soft_reset")
    device = open_own_unchecked(built)
    assert device["FINGERPRINT_HI"] << 32 | device["FINGERPRINT_LO"] == int(built.fingerprint, 16)
    assert device["CAPABILITIES"] == 1 << 4 | 1 << 6


def open_own_unchecked(built):
    """The identity registers of a device whose bitstream is another one than its metadata say."""
    from vta_pynq.isa.registers import VTA1
    from vta_pynq.sim.accelerator import AcceleratorModel
    from vta_pynq.sim.dram import DramImages
    from vta_pynq.sim.engines import FastEngine
    from vta_pynq.timing.profiles import get_profile

    config, dram = HwConfig(), DramImages(0x1000_0000, 1 << 12)
    engine = FastEngine(config, get_profile("vta1"), dram)
    model = AcceleratorModel(VTA1, config, dram, engine, threading.RLock(), built=built)
    return {r.name: model.own.control.read(r.offset) for r in CONTROL.registers}


def test_status_shows_a_run_and_its_end(overlay, bus):
    run_words(overlay, [FINISH])
    assert bus.read("STATUS") == DONE
    bus.write("STATUS", DONE)
    assert bus.read("STATUS") == 0


def test_status_shows_that_a_run_is_under_way():
    gate = Gate()
    with open_own(pace=gate) as overlay:
        bus = ControlBus(overlay)
        buffer = put(overlay, stream([FINISH], overlay.config))
        gate.close("done")
        overlay.accelerator.fetch.submit(buffer.device_address, 1)
        gate.reached("done")
        assert bus.read("STATUS") == RUNNING
        assert bus.read("HOLD") == sum(bit("HOLD", m) for m in ("LOAD", "COMPUTE", "STORE"))
        gate.open("done")
        overlay.device.accelerator._worker.stop(10)
        assert bus.read("STATUS") == DONE
        assert bus.read("HOLD") == 0


# ---- errors --------------------------------------------------------------------------------

GEMM = {"opcode": Opcode.GEMM, "iter_out": 1, "iter_in": 1, "uop_end": 1}
ALU = {"opcode": Opcode.ALU, "iter_out": 1, "iter_in": 1, "uop_end": 1}
ERRORS = [
    # What is in error, the bits of ERRORS, and instructions of fetch, load, compute and store.
    ({"opcode": 7}, ["FETCH_UNKNOWN_OPCODE"]),
    ({**ALU, "alu_opcode": 7}, ["COMPUTE_UNKNOWN_ALU_OP"]),
    ({**GEMM, "uop_bgn": 8000, "uop_end": 8193}, ["COMPUTE_SRAM_RANGE"]),
    ({"opcode": Opcode.LOAD, "memory_type": 7, "x_size": 1, "y_size": 1, "x_stride": 1},
     ["COMPUTE_UNKNOWN_MEMORY_TYPE"]),
    ({"opcode": Opcode.LOAD, "memory_type": MemType.INP, "sram_base": 2047, "x_size": 2,
      "y_size": 1, "x_stride": 2}, ["LOAD_SRAM_RANGE"]),
    ({"opcode": Opcode.STORE, "memory_type": MemType.OUT, "sram_base": 2047, "x_size": 2,
      "y_size": 1, "x_stride": 2}, ["STORE_SRAM_RANGE"]),
]  # fmt: skip


def flagged(row):
    """The instruction between others that wait for it and that it waits for."""
    if row["opcode"] == 7:
        return [row, FINISH]
    if row["opcode"] == Opcode.STORE:
        return [{**COMPUTE_NOP, "push_next": 1}, {**row, "pop_prev": 1, "push_prev": 1},
                {**FINISH, "pop_next": 1}]  # fmt: skip
    if row.get("memory_type") == MemType.INP:
        return [{**COMPUTE_NOP, "push_prev": 1}, {**row, "pop_next": 1, "push_next": 1},
                {**FINISH, "pop_prev": 1}]  # fmt: skip
    return [{**LOAD_NOP, "push_next": 1}, {**row, "pop_prev": 1, "push_next": 1},
            {**STORE_NOP, "pop_prev": 1, "push_prev": 1}, {**FINISH, "pop_next": 1}]  # fmt: skip


def bits_of(names):
    return sum(bit("ERRORS", name) for name in names)


@pytest.mark.parametrize(("row", "names"), ERRORS, ids=[names[0] for _, names in ERRORS])
def test_errors_show_in_the_bits_of_the_module_and_the_program_ends(row, names, overlay, bus):
    rows = flagged(row)
    run_words(overlay, rows)
    assert bus.read("ERRORS") == bits_of(names)
    assert bus.read("STATUS") == DONE | ERROR
    engine = overlay.device.accelerator.engine
    assert sum(engine.tokens) == 0, "the instruction in error takes and gives its tokens"
    module = names[0].split("_")[0].lower()
    driver = getattr(overlay.accelerator, module)
    assert driver.get("errors") and driver.get("executed")
    bus.write("ERRORS", WORD)
    assert bus.read("STATUS") == DONE
    run_words(overlay, [FINISH])
    assert bus.read("STATUS") == DONE, "an error of a run before does not come back"


def test_errors_of_several_instructions_add_up_and_the_rest_is_executed(overlay, bus):
    memory = overlay.allocate((1, 16), "i1")
    memory[:] = 99
    memory.flush()
    source = overlay.allocate((1, 16), "i4")
    source[:] = 7
    source.flush()
    uop = overlay.allocate((1,), "u4")
    uop[:] = 0
    uop.flush()
    one = {"x_size": 1, "y_size": 1, "x_stride": 1}
    rows = [
        {"opcode": 7},
        {"opcode": Opcode.LOAD, "memory_type": MemType.UOP, **one,
         "dram_base": uop.device_address // 4},
        {"opcode": Opcode.LOAD, "memory_type": MemType.ACC, **one,
         "dram_base": source.device_address // 64},
        {**ALU, "alu_opcode": 6},
        {**ERRORS[4][0], "push_next": 1},
        {**ALU, "alu_opcode": AluOp.ADD, "use_imm": 1, "imm": 5, "pop_prev": 1, "push_next": 1},
        {"opcode": Opcode.STORE, "memory_type": MemType.OUT, **one, "pop_prev": 1,
         "push_prev": 1, "dram_base": memory.device_address // 16},
        {**FINISH, "pop_next": 1},
    ]  # fmt: skip
    run_words(overlay, rows)
    memory.invalidate()
    assert (memory == 12).all()
    assert bus.read("ERRORS") == bits_of(
        ["FETCH_UNKNOWN_OPCODE", "COMPUTE_UNKNOWN_ALU_OP", "LOAD_SRAM_RANGE"]
    )
    executed = [getattr(overlay.accelerator, name).get("executed") for name in
                ("fetch", "load", "compute", "store")]  # fmt: skip
    assert executed == [8, 1, 5, 1]


@pytest.mark.csim
def test_errors_of_the_hls_design_are_those_of_the_fast_engine():
    from vta_pynq.sim.engines import DesignEngine

    with open_own(engine=DesignEngine) as overlay:
        bus = ControlBus(overlay)
        for row, names in ERRORS:
            run_words(overlay, flagged(row))
            assert bus.read("ERRORS") == bits_of(names)
            assert sum(overlay.device.accelerator.engine.tokens) == 0
            bus.write("ERRORS", WORD)
        run_words(overlay, [{**LOAD_NOP, "push_next": 1}, FINISH])
        assert sum(overlay.device.accelerator.engine.tokens) == 1
        bus.write("RESET", REQUEST)
        assert sum(overlay.device.accelerator.engine.tokens) == 0
        assert overlay.accelerator.load.get("executed") == 0


# ---- soft reset ----------------------------------------------------------------------------


def test_reset_clears_tokens_status_and_registers_but_not_sram(overlay, bus):
    model = overlay.device.accelerator
    model.engine.poison(7)
    before = model.engine.engine.sram(MemType.ACC)
    run_words(overlay, [{**LOAD_NOP, "push_next": 1}, {"opcode": 7}, FINISH])
    assert sum(model.engine.tokens) == 1
    bus.write("RESET", REQUEST)
    assert bus.read("RESET") == 0
    assert sum(model.engine.tokens) == 0
    assert (bus.read("STATUS"), bus.read("ERRORS")) == (0, 0)
    for block in model.blocks.values():
        assert not block.started and not any(block.values.values())
    assert (model.engine.engine.sram(MemType.ACC) == before).all()


def test_reset_frees_modules_that_wait_for_each_other(overlay, bus):
    words = stream([{**FINISH, "pop_prev": 1}], overlay.config)
    buffer = put(overlay, words)
    overlay.accelerator.fetch.submit(buffer.device_address, 1)
    overlay.device.accelerator._worker.submit(lambda: None).wait(10)
    assert overlay.device.accelerator.hung and bus.read("STATUS") == RUNNING
    bus.write("RESET", REQUEST)
    overlay.accelerator.prepare()
    run_words(overlay, [FINISH])


def test_reset_is_pending_as_long_as_a_run_is_under_way():
    gate = Gate()
    with open_own(pace=gate) as overlay:
        bus = ControlBus(overlay)
        buffer = put(overlay, stream([FINISH], overlay.config))
        gate.close("done")
        overlay.accelerator.fetch.submit(buffer.device_address, 1)
        gate.reached("done")
        bus.write("RESET", REQUEST)
        assert bus.read("RESET") == PENDING
        bus.write("RESET", FORCE)  # an engine cannot be cut off
        assert bus.read("RESET") == PENDING
        gate.open("done")
        assert overlay.device.accelerator._worker.submit(lambda: None).wait(10)
        assert bus.read("RESET") == 0
        assert bus.read("STATUS") == 0


# ---- counters ------------------------------------------------------------------------------


def test_counters_are_those_of_the_cycle_model_and_cost_nothing_until_read(overlay, bus):
    from vta_pynq.sim import run_log
    from vta_pynq.timing import simulate

    run_log.count_cycles.cache_clear()
    rows = [{**LOAD_NOP, "push_next": 1}, {**COMPUTE_NOP, "pop_prev": 1}, FINISH]
    for _ in range(3):
        run_words(overlay, rows)
    assert run_log.count_cycles.cache_info().misses == 0
    report = simulate(stream(rows, overlay.config), "vta1", config=overlay.config)
    assert bus.read("CYCLES_LO") == 3 * report.total_cycles
    assert run_log.count_cycles.cache_info().misses == 1
    for module in ("LOAD", "COMPUTE", "STORE"):
        names = [c.register for c in COUNTERS if c.module.name == module]
        assert sum(bus.read(name) for name in names) == 3 * report.total_cycles
    bus.write("COUNTER_CONTROL", bit("COUNTER_CONTROL", "FREEZE") | 2)
    run_words(overlay, rows)
    assert bus.read("CYCLES_LO") == 0
    bus.write("COUNTER_CONTROL", 0)
    run_words(overlay, rows)
    assert bus.read("CYCLES_LO") == report.total_cycles
