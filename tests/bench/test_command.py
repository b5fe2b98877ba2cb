"""`make bench`: one table, JSON, and the comparison with an older run."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.project.source_files import ROOT


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--only", "isa", *words],
        cwd=ROOT, capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip


def test_bench_json_compares_with_itself_and_flags_what_was_faster(tmp_path):
    first = bench("--json")
    assert first.returncode == 0, first.stderr
    run = json.loads(first.stdout)
    assert run["machine"]["numpy"] and run["rows"]
    for row in run["rows"]:  # an older run that was a thousand times better
        row["value"] *= 1000 if row["unit"].endswith("/s") else 1e-3
    (tmp_path / "old.json").write_text(json.dumps(run))
    later = bench("--compare", str(tmp_path / "old.json"))
    assert later.returncode == 1
    assert "bench: regression: isa" in later.stderr
    assert later.stdout.startswith("processor: ") and "benchmark" in later.stdout


def test_bench_compare_with_something_else_is_refused(tmp_path):
    (tmp_path / "old.json").write_text("no JSON")
    done = bench("--compare", str(tmp_path / "old.json"))
    assert done.returncode == 2 and "must be the output of --json" in done.stderr
