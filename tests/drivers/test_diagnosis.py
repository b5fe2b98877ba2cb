"""The words of a timeout."""

from vta_pynq.drivers.diagnosis import Observation, Stall, describe

END = "; the logic has been reset; run 'vta lint' on the program to find an unmatched pop"


def seen(fetch_idle=True, compute_started=True, done_flag=False, active=()):
    return Observation(fetch_idle, compute_started, done_flag, active)


def test_describe_names_fetch_when_it_is_busy():
    assert describe(seen(fetch_idle=False), 1.0, 7, None) == (
        "fetch did not finish within 1 s: it has not handed out all instructions: a queue is "
        "full, or the memory does not answer" + END
    )


def test_describe_names_fetch_when_it_is_busy_behind_finish():
    assert describe(seen(fetch_idle=False, done_flag=True), 1.0, 7, None) == (
        "fetch did not finish within 1 s: FINISH was executed, but fetch is still busy with what "
        "follows it" + END
    )


def test_describe_does_not_believe_a_stale_flag():
    text = describe(seen(compute_started=False, done_flag=True), 0.25, 7, None)
    assert text == (
        "compute did not finish within 0.25 s: it has not begun any instruction, and fetch has "
        "handed out all: the first one waits for a token, or there is none" + END
    )


def test_describe_names_compute_when_it_has_begun():
    assert describe(seen(), 1.0, 7, None) == (
        "compute did not finish within 1 s: it has begun instructions but not reached FINISH, and "
        "fetch has handed out all: one waits for a token, or FINISH is missing" + END
    )


def test_describe_tells_slow_from_stuck():
    assert describe(seen(active=("load", "store")), 0.1, 7, None) == (
        "the 7 instructions did not finish within 0.1 s: load and store still executed "
        "instructions, so they are slow, not stuck; the logic has been reset; allow more time"
    )


def test_describe_prefers_what_the_stream_itself_shows():
    stall = Stall("load", "insn 3 LOAD: never starts: load waits for token g2l")
    text = describe(seen(active=("store",)), 1.0, 7, stall)
    assert text.startswith(
        "load did not finish within 1 s: insn 3 LOAD: never starts: load waits for token g2l "
        "(seen from outside, compute: it has begun"
    )
    assert text.endswith(END)
