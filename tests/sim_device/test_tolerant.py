"""Going on after instructions in error: the fast engine does what the HLS design does."""

from __future__ import annotations

import random

import numpy as np
import pytest

from tests.sim_device.own_rig import ControlBus, encoded, open_own
from tests.sim_device.rig import COMPUTE_NOP, DEADLINE_S, put
from tests.sim_device.test_control_block import ERRORS
from vta_pynq.errors import DeviceTimeout, HardwareError
from vta_pynq.isa.table import DRAM_BYTES, INSN_BYTES, AluOp, MemType, Opcode
from vta_pynq.sim.engines import DesignEngine, FastEngine
from vta_pynq.sim.tolerant import spare_address

LANES = 16
TILES = 8


@pytest.mark.parametrize(
    ("base", "size"), [(0x1680_0000, 0x0800_0000), (0x1000, 20), (DRAM_BYTES - 0x100_0000, 1 << 24)]
)
def test_spare_address_lies_outside_dram_and_below_4_gib(base, size):
    count = 1000
    phys = spare_address(base, size, count)
    assert phys % INSN_BYTES == 0 and 0 <= phys <= DRAM_BYTES - count * INSN_BYTES
    assert phys >= base + size or phys + count * INSN_BYTES <= base


def random_program(rng, source, target, uop):
    """Load, some operations, store; instructions in error between, tokens in order."""
    one = {"y_size": 1}
    rows = [
        {"opcode": Opcode.LOAD, "memory_type": MemType.UOP, **one, "x_size": 1, "x_stride": 1,
         "dram_base": uop.device_address // 4},
        {"opcode": Opcode.LOAD, "memory_type": MemType.ACC, **one, "x_size": TILES,
         "x_stride": TILES, "dram_base": source.device_address // 64},
    ]  # fmt: skip
    for _ in range(rng.randrange(1, 12)):
        row, _ = rng.choice(ERRORS)
        if row.get("memory_type") == MemType.INP:  # an exchange with load around it
            rows += [{**row, "push_next": 1},
                     {**COMPUTE_NOP, "pop_prev": 1}]  # fmt: skip
        elif row["opcode"] == Opcode.STORE:
            rows += [{**COMPUTE_NOP, "push_next": 1},
                     {**row, "pop_prev": 1, "push_prev": 1},
                     {**COMPUTE_NOP, "pop_next": 1}]  # fmt: skip
        else:
            rows.append(row)
        rows.append(
            {"opcode": Opcode.ALU, "alu_opcode": rng.choice((AluOp.ADD, AluOp.MAX, AluOp.MIN)),
             "use_imm": 1, "imm": rng.randrange(-50, 50), "uop_end": 1, "iter_out": 1,
             "iter_in": TILES, "dst_factor_in": 1, "src_factor_in": 1}
        )  # fmt: skip
    rows += [
        {**COMPUTE_NOP, "push_next": 1},
        {"opcode": Opcode.STORE, "memory_type": MemType.OUT, **one, "x_size": TILES,
         "x_stride": TILES, "pop_prev": 1, "push_prev": 1,
         "dram_base": target.device_address // 16},
        {"opcode": Opcode.FINISH, "pop_next": 1},
    ]  # fmt: skip
    return rows


def outcomes(engine, seed, programs):
    """Stored bytes, errors, executed instructions and tokens of each of the random programs."""
    rng = random.Random(seed)
    found = []
    with open_own(engine=engine) as overlay:
        source = overlay.allocate((TILES, LANES), "i4")
        target = overlay.allocate((TILES, LANES), "i1")
        uop = overlay.allocate((1,), "u4")
        source[:] = np.arange(TILES * LANES).reshape(TILES, LANES) - 60
        uop[:] = 0
        source.flush()
        uop.flush()
        bus = ControlBus(overlay)
        accelerator = overlay.accelerator
        blocks = (accelerator.fetch, accelerator.load, accelerator.compute, accelerator.store)
        for _ in range(programs):
            target[:] = 77
            target.flush()
            words = encoded(random_program(rng, source, target, uop), overlay.config)
            buffer = put(overlay, words)
            accelerator.control.clear_done()
            accelerator.fetch.submit(buffer.device_address, len(words))
            assert overlay.device.accelerator._worker.submit(lambda: None).wait(DEADLINE_S)
            target.invalidate()
            registers = [block.get(name) for block in blocks for name in ("errors", "executed")]
            state = bus.read("STATUS"), bus.read("ERRORS"), *registers
            found.append((target.tobytes(), state, overlay.device.accelerator.engine.tokens))
            bus.write("ERRORS", 0xFFFFFFFF)
    return found


@pytest.mark.csim
def test_fast_engine_and_hls_design_do_the_same_on_random_programs_with_errors():
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    fast, design = outcomes(FastEngine, seed, 20), outcomes(DesignEngine, seed, 20)
    assert fast == design
    assert all(state[1] for _, state, _ in fast), "every program has an error"


def test_deadlock_after_an_error_is_still_one():
    with open_own() as overlay:
        rows = [{"opcode": 7}, {"opcode": Opcode.FINISH, "pop_prev": 1}]
        words = encoded(rows, overlay.config)
        buffer = put(overlay, words)
        # The error ends the wait; without it the deadline does.
        with pytest.raises(HardwareError):
            overlay.accelerator.run(buffer.device_address, 2, DEADLINE_S, words)
        buffer = put(overlay, words[1:])
        with pytest.raises(DeviceTimeout):
            overlay.accelerator.run(buffer.device_address, 1, 0.05, words[1:])
