"""When buffers are synchronised: exactly before whoever needs it."""

from __future__ import annotations

import numpy as np

from tests.runtime.programs import Dense, Maker, chain, random_weights, vta_only
from vta_pynq.program import ArenaKind, Program
from vta_pynq.runtime.coherence import plan_coherence

RNG = np.random.default_rng(5)
DENSE = Dense(random_weights(RNG, 16, 16))
SHAPE = DENSE.x_shape()


def ends(maker: Maker) -> None:
    """CPU-only input `x` and output `y`, plain."""
    maker.tensor("x", SHAPE, ArenaKind.INPUT, layout="NCHW")
    maker.tensor("y", SHAPE, ArenaKind.OUTPUT, layout="NCHW")


def sandwich(one_arena: bool) -> Program:
    """CPU, accelerator, CPU; the two activations in arenas of their own or in one."""
    maker = Maker()
    ends(maker)
    if one_arena:
        size = maker.activation_bytes(SHAPE)
        maker.arena("both", ArenaKind.SCRATCH, 2 * size)
        maker.tensor("a", SHAPE, None, arena="both", lifetime=(0, 1))
        maker.tensor("b", SHAPE, None, arena="both", offset=size, lifetime=(1, 2))
    else:
        maker.tensor("a", SHAPE)
        maker.tensor("b", SHAPE)
    maker.cpu("in", "pack", ["x"], ["a"])
    maker.vta("dense", DENSE.kernel(), x="a", y="b")
    maker.cpu("out", "unpack", ["b"], ["y"])
    return maker.build()


def test_plan_input_and_output_of_the_accelerator_are_synchronised_once():
    plan = plan_coherence(vta_only(DENSE))
    assert plan.flush == (("x",), ())
    assert plan.invalidate == ((), ("y",))


def test_plan_scratch_that_only_the_accelerator_sees_is_left_alone():
    plan = plan_coherence(chain(DENSE, DENSE))
    assert plan.flush == (("x",), (), ())
    assert plan.invalidate == ((), (), ("y",))
    assert plan.events("h") == ()


def test_plan_cpu_steps_around_the_accelerator_flush_before_and_invalidate_after():
    plan = plan_coherence(sandwich(one_arena=False))
    assert plan.flush == ((), ("a",), (), ())
    assert plan.invalidate == ((), (), ("b",), ())


def test_plan_one_arena_is_not_invalidated_for_what_nobody_reads_any_more():
    # At the start of the next run `b` is newer on the device, but dead.
    plan = plan_coherence(sandwich(one_arena=True))
    assert plan.flush == ((), ("both",), (), ())
    assert plan.invalidate == ((), (), ("both",), ())


def test_plan_cpu_writes_beside_a_needed_result_invalidates_before():
    maker = Maker()
    size = maker.activation_bytes(SHAPE)
    maker.tensor("x", SHAPE, ArenaKind.INPUT)
    maker.tensor("y", SHAPE, ArenaKind.OUTPUT)
    maker.arena("s", ArenaKind.SCRATCH, 3 * size)
    for number, name in enumerate("abc"):
        maker.tensor(name, SHAPE, None, arena="s", offset=number * size)
    maker.vta("first", DENSE.kernel(), x="x", y="a")
    maker.cpu("beside", "relu", ["x"], ["b"])  # reads nothing of `s`, writes beside `a`
    maker.vta("second", DENSE.kernel(), x="b", y="c")  # its flush must not hurt `a`
    maker.vta("third", DENSE.kernel(), x="a", y="y")
    plan = plan_coherence(maker.build())
    assert plan.invalidate[1] == ("s",)
    assert plan.flush == (("x",), (), ("s",), (), ())


def test_plan_lines_left_dirty_by_the_run_before_are_flushed():
    maker = Maker()
    maker.tensor("x", SHAPE, ArenaKind.INPUT)
    maker.tensor("y", SHAPE, ArenaKind.OUTPUT, layout="NCHW")
    size = maker.activation_bytes(SHAPE)
    maker.arena("s", ArenaKind.SCRATCH, 2 * size)
    maker.tensor("a", SHAPE, None, arena="s", lifetime=(0, 1))
    maker.tensor("b", SHAPE, None, arena="s", offset=0, lifetime=(2, 3))
    maker.vta("dense", DENSE.kernel(), x="x", y="a")
    maker.cpu("use", "unpack", ["a"], ["y"])
    maker.cpu("over", "relu", ["y"], ["b"])  # dirty lines where `a` will be written next time
    maker.cpu("again", "unpack", ["b"], ["y"])
    plan = plan_coherence(maker.build())
    assert plan.flush[0] == ("s", "x")
    assert plan.invalidate == ((), ("s",), (), (), ())


def test_plan_output_read_by_the_accelerator_is_flushed_when_the_cpu_wrote_it():
    maker = Maker()
    maker.tensor("x", SHAPE, ArenaKind.INPUT)
    maker.tensor("y", SHAPE, ArenaKind.OUTPUT)
    maker.tensor("z", SHAPE, ArenaKind.OUTPUT)
    maker.cpu("copy", "relu", ["x"], ["y"])
    maker.vta("dense", DENSE.kernel(), x="y", y="z")
    plan = plan_coherence(maker.build())
    assert plan.flush == ((), ("y",), ())
    assert plan.invalidate == ((), (), ("z",))


def test_plan_steps_in_a_row_flush_before_the_first():
    maker = Maker()
    ends(maker)
    for name in "abcd":
        maker.tensor(name, SHAPE)
    maker.cpu("in", "split", ["x"], ["a", "b"])
    maker.vta("first", DENSE.kernel(), x="a", y="c")
    maker.vta("second", DENSE.kernel(), x="b", y="d")
    maker.cpu("out", "add", ["c", "d"], ["y"])
    plan = plan_coherence(maker.build())
    assert plan.flush == ((), ("a", "b"), (), (), ())
    assert plan.invalidate == ((), (), (), ("c", "d"), ())
