#!/usr/bin/env python3
"""Fetch the source package of the installed pynq, whose own tests run on the simulated device.

Part of `make test-all`; the only thing in it that needs a package index, and only once. Where it
cannot be fetched the test that wants it is skipped and says so.
"""

import importlib.metadata
import pathlib
import subprocess
import sys

FOLDER = pathlib.Path(sys.prefix) / "pynq-sdist"
"""Where tests/sim_device/test_pynq_suite.py looks."""


def main():
    """Fetch the file if it is not there; 0 in any case."""
    version = importlib.metadata.version("pynq")
    target = FOLDER / f"pynq-{version}.tar.gz"
    if target.is_file():
        return 0
    done = subprocess.run(
        [
            sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "pynq",
            "--no-build-isolation", "--dest", str(FOLDER), f"pynq=={version}",
        ],
        check=False,
    )  # fmt: skip
    if done.returncode or not target.is_file():
        print(f"{target}: could not be fetched; pynq's own tests will be skipped", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
