"""Runs a Tcl script in plain tclsh, and answers the commands that Tcl does not have."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

SHIM = Path(__file__).parent / "shim.tcl"
LIMIT = 100_000
"""Most commands of a script: one that loops must not hang the tests."""


class CommandError(Exception):
    """The tool refuses a command; its message goes to the script."""


def tclsh() -> str:
    """The Tcl shell; skips the test where there is none."""
    found = shutil.which("tclsh")
    if found is None:
        pytest.skip("tclsh is not installed (Debian: tcl)")
    return found


def run_script(
    script: Path,
    answer: Callable[[str, Sequence[str]], str],
    environment: Mapping[str, str],
    cwd: Path,
    shell: str | None = None,
) -> tuple[int, str]:
    """Exit code and what the script printed. `answer` gets the name of a command and its words."""
    log = cwd / f"{script.stem}.log"
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [shell or tclsh()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, **environment},
            cwd=cwd,
            text=True,
        )
        assert process.stdin and process.stdout
        # Not as an argument: the protocol needs standard input, so the script is sourced by it.
        process.stdin.write(f"source {{{SHIM}}}; source {{{script}}}\n")
        process.stdin.flush()
        for _ in range(LIMIT):
            line = process.stdout.readline()
            if not line:
                break
            name, *words = (bytes.fromhex(word[1:]).decode() for word in line.split())
            try:
                kind, result = "ok", answer(name, words)
            except CommandError as error:
                kind, result = "error", str(error)
            process.stdin.write(f"{kind} x{result.encode().hex()}\n")
            process.stdin.flush()
        else:
            process.kill()
        process.stdin.close()
        process.stdout.close()
        code = process.wait(timeout=60)
    return code, log.read_text(encoding="utf-8")


def options(words: Sequence[str], **takes: bool) -> tuple[dict[str, str], list[str]]:
    """Options of a command and its other words; `takes` says which options have a value.

    An option that is not listed is refused, as the tools do.
    """
    found: dict[str, str] = {}
    rest: list[str] = []
    pending = list(words)
    while pending:
        word = pending.pop(0)
        name = word[1:].replace("-", "_")
        if not word.startswith("-") or word[1:2].isdigit():
            rest.append(word)
        elif name not in takes:
            raise CommandError(f"unknown option {word}")
        else:
            found[name] = pending.pop(0) if takes[name] else ""
    return found, rest


def tcl_list(text: str) -> list[str]:
    """The words of a Tcl list: bare, in braces, or with backslashes."""
    words, word, depth, inside, braced = [], "", 0, False, False
    position = 0
    while position < len(text):
        char = text[position]
        position += 1
        if depth == 0 and char.isspace():
            if inside:
                words.append(word)
            word, inside, braced = "", False, False
            continue
        if char == "\\" and not braced and depth == 0:
            word += text[position]
            position += 1
        elif char == "{" and (depth or not inside):
            if depth:
                word += char
            depth += 1
            braced = True
        elif char == "}" and depth:
            depth -= 1
            if depth:
                word += char
        else:
            word += char
        inside = True
    if inside:
        words.append(word)
    return words
