"""Completion: what real shells offer for words of a command line."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from vta_pynq import cli
from vta_pynq.cli import completion
from vta_pynq.overlay.descriptions import variants

_BASH = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_vta
printf '%s\\n' "${COMPREPLY[@]}"
"""

_ZSH = r"""
zmodload zsh/zpty
zpty shell zsh -f
say() { zpty -w shell "$1" }
say "PROMPT= ; unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -u -D"
say "LISTMAX=1000; zstyle ':completion:*' list-colors ''; source $1; cd $2; print LOA''DED"
until [[ $all == *LOADED* ]]; do zpty -r shell piece || break; all+=$piece; done
zpty -n -w shell "$3"$'\t\t'
zpty -n -w shell $'\C-a\C-kprint DO\'\'NE\n'
until [[ $piece == *DONE* ]]; do zpty -r shell piece || break; print -rn -- $piece; done
"""


@pytest.fixture
def folder(tmp_path):
    for name in ("net.vta", "a model.onnx", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "cases").mkdir()
    return tmp_path


def in_bash(folder, *words):
    script = completion._SCRIPTS / "vta.bash"
    done = subprocess.run(
        ["bash", "--norc", "-c", _BASH, "bash", script, *words],
        cwd=folder, capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    assert done.stderr == ""
    return set(filter(None, done.stdout.split("\n")))


bash = pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
zsh = pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh")


@bash
def test_bash_first_word_is_a_command(folder):
    assert in_bash(folder, "vta", "") == {*cli.commands(), "--help", "--version", "--debug"}
    assert in_bash(folder, "vta", "ro") == {"roofline"}


@bash
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("run", "--inp"), {"--input"}),
        (("run", "net.vta", "--to"), {"--top"}),
        (("--debug", "run", "--lab"), {"--labels"}),
        (("run", "--device", ""), {"board", "sim", "csim"}),
        (("run", "--device", "=", "s"), {"sim"}),
        (("run", "--device", "="), {"board", "sim", "csim"}),
        (("run", ""), {"net.vta", "cases"}),
        (("run", "--input", "n"), {"net.vta", "notes.txt"}),
        (("run", "--input", "image", "=", "no"), {"notes.txt"}),
        (("run", "--top", ""), set()),
        (("compile", "a"), {"a model.onnx"}),
        (("compile", "--ties", ""), {"even", "up"}),
        (("compile", "--target", "hls-1"), {"hls-128bit"}),
        (("quantize", "--method", "e"), {"entropy"}),
        (("replay", "c"), {"cases"}),
        (("overlays", "f"), {"fetch"}),
        (("overlays", "fetch", "--in"), {"--into"}),
        (("overlays", "fetch", "--into", ""), {"cases"}),
        (("overlays", "recommend", "--board", "Pynq-Z"), {"Pynq-Z1", "Pynq-Z2"}),
        (("completion", ""), {"bash", "zsh"}),
        (("nonsense", ""), set()),
    ],
)
def test_bash_offers_what_fits(words, offered, folder):
    assert in_bash(folder, "vta", *words) == offered


@bash
def test_bash_overlay_is_any_variant(folder):
    names = {variant.name for variant in variants()}
    assert in_bash(folder, "vta", "run", "--overlay", "") == {*names, "cases"}
    assert in_bash(folder, "vta", "overlays", "fetch", "") == names


def in_zsh(folder, line):
    script = completion._SCRIPTS / "vta.zsh"
    done = subprocess.run(
        ["zsh", "-f", "-c", _ZSH, "zsh", script, folder, line],
        capture_output=True, check=False, timeout=60,
        env={**os.environ, "TERM": "dumb", "HOME": str(folder), "COLUMNS": "200"},
    )  # fmt: skip
    return done.stdout.decode(errors="replace")


@zsh
@pytest.mark.parametrize(
    ("line", "offered", "absent"),
    [
        ("vta r", ("replay", "roofline", "run"), "serve"),
        ("vta run --device ", ("board", "sim", "csim"), "net.vta"),
        ("vta run --t", ("--timeout", "--top"), "--labels"),
        ("vta compile ", ("model.onnx",), "notes.txt"),
        ("vta overlays recommend --board Pynq-Z", ("Pynq-Z1", "Pynq-Z2"), "KV260"),
    ],
)
def test_zsh_offers_what_fits(line, offered, absent, folder):
    shown = in_zsh(folder, line)
    assert all(word in shown for word in offered), shown
    assert absent not in shown


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_prints_the_script(shell, capsys):
    assert cli.main(["completion", shell]) == 0
    assert capsys.readouterr().out == (completion._SCRIPTS / f"vta.{shell}").read_text("utf-8")


def test_completion_for_another_shell_exits_2(capsys):
    assert cli.main(["completion", "fish"]) == 2
    assert "invalid choice: 'fish'" in capsys.readouterr().err
