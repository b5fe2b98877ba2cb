"""The cycle model against recorded RTL counts, and its speed: `python bench/bench_timing.py`."""

from __future__ import annotations

import argparse
import json
import pathlib
import statistics
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from vta_pynq.conformance import load_case
from vta_pynq.profile.figures import Row
from vta_pynq.timing import PROFILES, simulate

NAME = "cycle model"
CASES = pathlib.Path(__file__).resolve().parents[1] / "tests" / "conformance"
RECORDED = {
    profile.name: profile.timing.recorded_as
    for profile in PROFILES.values()
    if profile.timing is not None and profile.timing.recorded_as is not None
}
SPEED_CASE = "isa_double_buffer"
SPEED_BODY = slice(13, 23)  # two tiles that leave every token count as they found it
SPEED_INSTRUCTIONS = 1_000_000


def accuracy(folder: pathlib.Path) -> Iterator[dict[str, Any]]:
    """Model and RTL cycles of every case in `folder` that records them (0: the RTL hangs)."""
    for meta in sorted(folder.glob("*/meta.json")):
        case = load_case(meta.parent)
        for profile, key in RECORDED.items():
            rtl = case.meta.get("cycles", {}).get(key, 0)
            if rtl:
                model = simulate(case.stream, profile).total_cycles
                yield {"case": case.name, "profile": profile, "rtl": rtl, "model": model}


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean and worst relative error for each profile."""
    found = []
    for profile in RECORDED:
        mine = [row for row in rows if row["profile"] == profile]
        if not mine:
            continue
        errors = [abs(row["model"] - row["rtl"]) / row["rtl"] for row in mine]
        worst = mine[errors.index(max(errors))]
        found.append(
            {
                "profile": profile,
                "cases": len(mine),
                "exact": errors.count(0.0),
                "mean_error": statistics.fmean(errors),
                "worst_error": max(errors),
                "worst_case": worst["case"] if max(errors) else "",
            }
        )
    return found


def long_stream() -> npt.NDArray[np.uint64]:
    """A legal stream of about a million instructions."""
    words = load_case(CASES / SPEED_CASE).stream.words
    body = words[SPEED_BODY]
    repeats = SPEED_INSTRUCTIONS // len(body)
    tail = words[SPEED_BODY.stop :]
    return np.concatenate([words[: SPEED_BODY.stop], np.tile(body, (repeats, 1)), tail])


def speed(repeat: int) -> list[dict[str, Any]]:
    """Instructions a second of one thread, decoding included: median of `repeat` runs."""
    words = long_stream()
    found = []
    for profile in (p.name for p in PROFILES.values() if p.timing is not None):
        seconds = []
        for _ in range(repeat):
            begin = time.thread_time()
            simulate(words, profile)
            seconds.append(time.thread_time() - begin)
        median = statistics.median(seconds)
        found.append(
            {
                "profile": profile,
                "instructions": len(words),
                "seconds": median,
                "instructions_per_s": len(words) / median,
            }
        )
    return found


def run(quick: bool) -> list[Row]:
    """Error against the recorded RTL counts, and speed."""
    rows = []
    for total in summary(list(accuracy(CASES))):
        note = f"{total['cases']} cases, {total['exact']} exact"
        mean, worst = total["mean_error"], total["worst_error"]
        name = total["profile"]
        rows.append(Row(f"{name}, mean error", 100 * mean, "%", None, note, 0.0))
        note = total["worst_case"]
        rows.append(Row(f"{name}, worst error", 100 * worst, "%", None, note, 0.0))
    for found in speed(1 if quick else 5):
        note = f"{found['instructions']:,} instructions"
        metric = f"{found['profile']}, speed"
        rows.append(Row(metric, found["instructions_per_s"], "insn/s", None, note))
    return rows


def main() -> None:
    """Print the tables, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="?", type=pathlib.Path, default=CASES)
    parser.add_argument("--all", action="store_true", help="list every case, not only inexact ones")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = list(accuracy(options.cases))
    totals, speeds = summary(rows), speed(options.repeat)
    if options.json:
        print(json.dumps({"accuracy": totals, "cases": rows, "speed": speeds}))
        return
    print(f"{'profile':<14}{'cases':>6}{'exact':>7}{'mean |error|':>14}{'worst':>8}  case")
    for t in totals:
        print(
            f"{t['profile']:<14}{t['cases']:>6}{t['exact']:>7}{t['mean_error']:>13.2%}"
            f"{t['worst_error']:>9.2%}  {t['worst_case']}"
        )
    for row in rows:
        if options.all or row["model"] != row["rtl"]:
            error = (row["model"] - row["rtl"]) / row["rtl"]
            print(
                f"  {row['profile']:<14}{row['case']:<32}"
                f"{row['rtl']:>9}{row['model']:>9}{error:>8.2%}"
            )
    print(f"\n{'profile':<14}{'instructions':>13}{'seconds':>9}{'million/s':>11}")
    for s in speeds:
        print(
            f"{s['profile']:<14}{s['instructions']:>13}{s['seconds']:>9.3f}"
            f"{s['instructions_per_s'] / 1e6:>11.2f}"
        )


if __name__ == "__main__":
    main()
