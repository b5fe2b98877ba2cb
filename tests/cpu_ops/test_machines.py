"""The kernels compute the same on every path of every machine."""

from __future__ import annotations

import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
KERNELS = ROOT / "vta_pynq" / "cpu_ops" / "csrc"
FLAGS = ("-std=c11", "-ffp-contract=off", "-fno-trapping-math", "-Wall", "-Wextra", "-Werror")
ROUNDS = "40"
DIGEST = "d2832cdeaef329ed"
"""What all paths of all machines print; it changes with digest.c."""

# Compiler, its further flags, and what runs its programs here.
MACHINES = {
    "gcc": ("gcc", ("-O3",), ()),
    "gcc sanitized": ("gcc", ("-O1", "-g", "-fsanitize=address,undefined"), ()),
    "clang": ("clang", ("-O3",), ()),
    "armv7l": ("arm-linux-gnueabihf-gcc", ("-O3", "-static"), ("qemu-arm",)),
    "aarch64": ("aarch64-linux-gnu-gcc", ("-O3", "-static"), ("qemu-aarch64",)),
}


def digests(machine, folder):
    """Path to digest on a machine; skips where it cannot be had."""
    compiler, flags, runner = MACHINES[machine]
    for tool in (compiler, *runner):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}")
    program = folder / machine.replace(" ", "_")
    sources = [ROOT / "tests" / "cpu_ops" / "digest.c", *sorted(KERNELS.glob("*.c"))]
    headers = [f"-I{KERNELS}", f"-I{ROOT / 'vta_pynq' / 'sim' / 'csrc'}"]
    command = [compiler, *FLAGS, *flags, *headers, *map(str, sources), "-o", str(program), "-lm"]
    subprocess.run(command, check=True)
    done = subprocess.run(
        [*runner, str(program), ROUNDS], check=True, stdout=subprocess.PIPE, text=True
    )
    return dict(line.split() for line in done.stdout.splitlines())


@pytest.mark.slow
@pytest.mark.parametrize("machine", MACHINES)
def test_every_path_of_a_machine_gives_the_same_digest(machine, tmp_path):
    found = digests(machine, tmp_path)
    assert "portable" in found
    if machine in ("armv7l", "aarch64"):
        assert "neon" in found
    assert set(found.values()) == {DIGEST}, found
