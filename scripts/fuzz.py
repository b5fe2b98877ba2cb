"""Run the tests of the C code with the extensions built under address and UB sanitizers.

Works in a copy of the sources. The compiler must be gcc or clang with its sanitizer runtime.
"""

from __future__ import annotations

import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

from source_copy import copy_sources

TESTS = ("tests/sim", "tests/lint", "tests/timing", "tests/cpu_ops")
"""The folders whose tests drive C code with random or hostile input; their fast tests."""

FLAGS = "-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g"


def runtime(compiler: list[str]) -> str:
    """Path of the address sanitizer's library, which must be there before Python's first byte."""
    for name in ("libasan.so", "libclang_rt.asan.so"):
        asked = [*compiler, f"-print-file-name={name}"]
        path = subprocess.run(asked, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        if os.path.isabs(path):
            return os.path.realpath(path)
    raise SystemExit("fuzz: the compiler must have an address sanitizer; install gcc's libasan")


def main() -> int:
    """Build, run pytest with the arguments given here, and return its exit code."""
    library = runtime(shlex.split(os.environ.get("CC") or "cc"))
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / "copy"
        copy_sources(copy, extensions=False)
        environment = {**os.environ, "PYTHONPATH": str(copy), "CFLAGS": FLAGS, "LDFLAGS": FLAGS}
        build = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
        subprocess.run(build, cwd=copy, env=environment, check=True)
        environment |= {
            "LD_PRELOAD": library,
            # The interpreter leaks at exit; absurd sizes must end in MemoryError, as without.
            "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1:allocator_may_return_null=1",
            "UBSAN_OPTIONS": "print_stacktrace=1",
            "PYTHONMALLOC": "malloc",
        }
        tests = [name for name in TESTS if (copy / name).exists()]
        chosen = "not slow and not board and not csim"
        words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", chosen]
        return subprocess.run(
            [sys.executable, *words, *tests, *sys.argv[1:]], cwd=copy, env=environment, check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
