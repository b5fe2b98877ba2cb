"""Every command and code block of README and the getting-started pages does what it says.

Shell blocks run line by line and Python blocks as files, in the order of the page, in a folder of
their own that has the repository's `examples`. What cannot run inside a test names what runs it.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import subprocess
import sys

import pytest

from tests.project.source_files import ROOT

PAGES = ("README.md", "docs/getting-started.md", "docs/getting-started-board.md")

ELSEWHERE = {
    # command: file that runs it, and the words there that do
    "make test": (".ci/run", "make test"),
    "make bench": ("tests/bench/test_command.py", "--quick"),
    "make demo": ("tests/examples/test_demo.py", "demo"),
    "pip install --no-build-isolation --no-deps .": (
        "tests/project/test_packaging.py", '"--no-build-isolation"',
    ),
    "pip install -c requirements/constraints.txt .": (
        "scripts/setup_env.py", '"-c", CONSTRAINTS',
    ),
    # Needs the network, which no test has; the same code runs against a local server there.
    "vta overlays fetch pynq/0.0.2/1x16_i8w8a32_15_15_18_17": (
        "tests/overlay/test_catalogue.py", "fetch",
    ),
    "pynq get-notebooks vta_pynq": ("tests/notebooks/test_delivery.py", "get-notebooks"),
}  # fmt: skip

ON_ITS_OWN = ("export PATH=",)
"""Lines that the test's own environment stands for."""

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SAVE = re.compile(r"[Ss]ave this as `([\w.]+)`[^`]*\Z")


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced block; `file` is the name that the text before it gives it, if it does."""

    language: str
    text: str
    file: str | None


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found, place = [], 0
    for match in _BLOCK.finditer(text):
        before = _SAVE.search(text[place : match.start()])
        found.append(Block(match[1], match[2], before[1] if before else None))
        place = match.end()
    return found


def commands(block: Block) -> list[str]:
    """The lines of a shell block without comments."""
    lines = (re.sub(r"\s+#.*", "", line).strip() for line in block.text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def execute(folder: pathlib.Path, *words: str) -> None:
    environment = {
        **os.environ,
        "PATH": f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "VTA_DEVICE": "sim",
        "MPLBACKEND": "agg",
        "HOME": str(folder),
    }
    done = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, timeout=250, check=False
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "scripts").symlink_to(ROOT / "scripts")
    return tmp_path


@pytest.fixture
def model(folder):
    """What the board page takes from the laptop page: a program and an input."""
    laptop = blocks("docs/getting-started.md")
    for block in laptop[:4]:
        run_block(block, folder)
    return folder


def run_block(block: Block, folder: pathlib.Path) -> None:
    if block.language == "python":
        name = block.file or "block.py"
        (folder / name).write_text(block.text, encoding="utf-8")
        if block.file is None:
            execute(folder, sys.executable, name)
        return
    for command in commands(block):
        if command not in ELSEWHERE and not command.startswith(ON_ITS_OWN):
            execute(folder, "sh", "-c", command)


def test_readme_code_blocks_run(folder):
    for block in blocks("README.md"):
        run_block(block, folder)


def test_laptop_page_code_blocks_run(folder):
    for block in blocks("docs/getting-started.md"):
        run_block(block, folder)


@pytest.mark.slow
def test_board_page_code_blocks_run_on_the_simulator(model):
    for block in blocks("docs/getting-started-board.md"):
        run_block(block, model)


@pytest.mark.parametrize("page", PAGES)
def test_blocks_say_their_language(page):
    assert {block.language for block in blocks(page)} <= {"sh", "python", "text"}


@pytest.mark.parametrize("command", ELSEWHERE)
def test_command_that_runs_elsewhere_is_named_and_runs_there(command):
    named = [
        line for page in PAGES for b in blocks(page) if b.language == "sh" for line in commands(b)
    ]
    assert command in named, "take it out of ELSEWHERE"
    place, words = ELSEWHERE[command]
    path = ROOT / place
    files = sorted(path.glob("*.py")) if path.is_dir() else [path]
    assert any(words in file.read_text(encoding="utf-8") for file in files)
