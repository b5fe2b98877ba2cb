"""A short run of the fuzz harness."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.fuzz.__main__ import fuzz

STREAMS = 30_000


@pytest.mark.slow
def test_engine_fuzzed_streams_neither_crash_nor_depend_on_the_path() -> None:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    if "libasan" in os.environ.get("LD_PRELOAD", ""):
        pytest.skip("runs under a sanitizer already")
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    print(fuzz(STREAMS, seed))
