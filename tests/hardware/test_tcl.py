"""Values as Tcl words, read back by tclsh."""

from __future__ import annotations

import random
import subprocess

import pytest

from tests.overlays.stand_in.serve import tcl_list, tclsh
from vta_pynq.hardware.tcl import tcl_word


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("abc", "abc"),
        ("", "{}"),
        ("a b", "{a b}"),
        ("$x [exit]", "{$x [exit]}"),
        ("}{", "\\}\\{"),
        ("a\\b c", "a\\\\b\\ c"),
        (5, "5"),
        (True, "1"),
        (2.5, "2.5"),
        (10.0, "10"),
        (["a", 1], "{a 1}"),
        ({"k": ["v w"]}, "{k {{v w}}}"),
    ],
)
def test_tcl_word_of_a_value(value, word):
    assert tcl_word(value) == word


def test_tcl_word_is_read_back_by_tcl():
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    chance = random.Random(seed)
    texts = [
        "".join(chance.choices('ab {}[]$"\\;\n\t~#', k=chance.randrange(8))) for _ in range(300)
    ]
    script = "\n".join(f"puts [binary encode hex {tcl_word(text)}]" for text in texts)
    done = subprocess.run([tclsh()], input=script, capture_output=True, text=True, check=True)
    assert [bytes.fromhex(line).decode() for line in done.stdout.split("\n")[:-1]] == texts
    # The tests' own reader of lists agrees, for what the scripts send.
    plain = [text for text in texts if "\\" not in text and "\n" not in text and "\t" not in text]
    assert tcl_list(tcl_word(plain)[1:-1]) == plain
