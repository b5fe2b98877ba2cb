"""The drain stream takes exactly the tokens it was told of."""

import itertools

import pytest

from tests.sim_device.rig import CONFIG
from vta_pynq.drivers import drain_stream
from vta_pynq.isa.encode import decode
from vta_pynq.isa.table import TOKENS, Opcode
from vta_pynq.selftest.interpreter import Deadlock, run_stream
from vta_pynq.stream import InstructionStream

COUNTS = list(itertools.product((0, 1, 3), repeat=len(TOKENS)))


@pytest.mark.parametrize("tokens", COUNTS)
def test_drain_stream_leaves_no_token_in_any_order_of_execution(tokens):
    words = drain_stream(tokens, CONFIG)
    modules = InstructionStream("drain", CONFIG, words, tokens_in=tokens)
    result = run_stream(modules)
    assert set(result.tokens.values()) == {0}
    assert result.finished
    assert decode(words, CONFIG)[-1]["opcode"] == Opcode.FINISH
    assert result.trace[-1] == len(words) - 1, "FINISH comes after every pop"


def test_drain_stream_of_tokens_that_are_not_there_would_wait():
    words = drain_stream((0, 2, 0, 0), CONFIG)
    with pytest.raises(Deadlock):
        run_stream(InstructionStream("drain", CONFIG, words, tokens_in=(0, 1, 0, 0)))


def test_drain_stream_wants_a_count_for_every_token():
    with pytest.raises(ValueError, match="zip"):
        drain_stream((1, 2, 3), CONFIG)
