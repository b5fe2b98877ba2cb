"""Write every generated file anew, or (`--check`) tell which differ from what would be written.

The check works in a copy of the sources, so it neither needs git nor touches the tree.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

from source_copy import ROOT, copy_sources

GENERATORS = {
    # What to run with Python at the root: the files that it writes, as glob patterns.
    ("-m", "vta_pynq.isa.emit"): (
        "vta_pynq/isa/generated/*",
        "hls/generated/*",
        "docs/generated/isa.md",
        "docs/generated/registers.md",
    ),
    ("-m", "vta_pynq.sim.isa_header"): ("vta_pynq/sim/csrc/generated/*",),
    ("-m", "vta_pynq.hwh"): ("overlays/**/*.hwh",),
    ("-m", "vta_pynq.hardware.variants_page"): ("docs/generated/variants.md",),
    ("scripts/command_line.py",): ("vta_pynq/cli/generated/*", "docs/generated/cli.md"),
    ("-m", "tests.cases.requant_cases"): ("tests/conformance/isa_requant_*/*",),
}
"""Every generator of the project: a new one is one entry here."""


def generate(root: pathlib.Path) -> None:
    """Run all generators of the tree at `root`."""
    environment = {**os.environ, "PYTHONPATH": str(root)}
    for words in GENERATORS:
        subprocess.run(
            [sys.executable, *words], cwd=root, env=environment, check=True, stdout=subprocess.PIPE
        )


def written(root: pathlib.Path) -> dict[str, bytes]:
    """The generated files of the tree at `root`, by their paths."""
    paths = {path for patterns in GENERATORS.values() for p in patterns for path in root.glob(p)}
    # A file in a folder of this name that no generator lists has lost its generator.
    paths |= {path for path in root.glob("*/**/generated/**/*") if ".venv" not in path.parts[:-1]}
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(paths)
        if path.is_file()
    }


def stale() -> list[str]:
    """The generated files that are not what their generators write, missing or orphaned."""
    have = written(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / "copy"
        copy_sources(copy, extensions=True)
        for path in written(copy):
            (copy / path).unlink()
        generate(copy)
        fresh = written(copy)
    return sorted(path for path in have | fresh if have.get(path) != fresh.get(path))


def main() -> int:
    """Generate or check; exit code 1 if a file is stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; list what is stale")
    if not parser.parse_args().check:
        generate(ROOT)
        return 0
    paths = stale()
    for path in paths:
        print(f"{path}: generated file must be what its generator writes; run 'make gen'")
    return 1 if paths else 0


if __name__ == "__main__":
    sys.exit(main())
