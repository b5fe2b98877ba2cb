"""Speed of the functional engine on every dispatch path: `python -m bench.bench_sim`."""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import pathlib
import platform
import shlex
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.conv_streams import LAYERS, ConvLayer, Dialect, conv_stream
from vta_pynq.config import HwConfig
from vta_pynq.isa.encode import INSN_DTYPE, encode
from vta_pynq.isa.table import MemType, Opcode
from vta_pynq.profile.figures import Row
from vta_pynq.sim.engine import Dram, Engine, available_paths

NAME = "simulator"
GMAC_TARGETS = {"avx512vnni": 40.0, "avx2": 20.0}
TINY_TARGET_NS = 120.0
CONFIG = HwConfig()
REGION_BYTES = 1 << 26
BASES = {"INSN": REGION_BYTES, "UOP": 2 * REGION_BYTES, "INP": 3 * REGION_BYTES,
         "WGT": 4 * REGION_BYTES, "OUT": 5 * REGION_BYTES}  # fmt: skip
TINY_INSTRUCTIONS = 200_000
PEAK_SOURCE = pathlib.Path(__file__).parent / "peak_macs.c"
PEAK_ROUNDS = 10_000_000


def _dram(words: npt.NDArray[np.uint64], parts: dict[str, npt.NDArray[np.uint8]]) -> Dram:
    segments = [(BASES[kind], data) for kind, data in parts.items()]
    return Dram([*segments, (BASES["INSN"], words.view(np.uint8).reshape(-1).copy())])


def _seconds(words: npt.NDArray[np.uint64], dram: Dram, path: str, repeat: int) -> float:
    """Median CPU time of the engine; the first run, which touches memory first, is left out."""
    engine = Engine(CONFIG, path=path)
    runs = [engine.run(dram, BASES["INSN"], len(words)).seconds for _ in range(repeat + 1)]
    return statistics.median(runs[1:])


def peaks(repeat: int) -> dict[str, float]:
    """Most GMAC/s of one core with a path's instructions; empty where that is not known."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return {}
    with tempfile.TemporaryDirectory() as folder:
        library = pathlib.Path(folder) / "peak.so"
        compiler = shlex.split(os.environ.get("CC") or "cc")
        command = [*compiler, "-O3", "-shared", "-fPIC", str(PEAK_SOURCE), "-o", str(library)]
        subprocess.run(command, check=True, timeout=120)
        functions = ctypes.CDLL(str(library))
        found = {}
        for path in set(available_paths()) & {"avx2", "avx512vnni"}:
            function = getattr(functions, f"peak_{path}")
            function.argtypes, function.restype = [ctypes.c_uint64], ctypes.c_uint64
            rates = []
            for _ in range(repeat):
                begin = time.thread_time()
                macs = function(PEAK_ROUNDS)
                rates.append(macs / (time.thread_time() - begin) / 1e9)
            found[path] = max(rates)
    return found


def layer_row(layer: ConvLayer, dialect: Dialect, path: str, repeat: int) -> dict[str, Any]:
    """Speed of one layer, loads, ALU operations and stores included."""
    stream = conv_stream(layer, dialect, CONFIG, BASES)
    random = np.random.default_rng(layer.size)
    parts = {kind: random.integers(0, 256, size, np.uint8) for kind, size in stream.sizes.items()}
    parts["UOP"] = stream.uops.view(np.uint8).copy()
    seconds = _seconds(stream.words, _dram(stream.words, parts), path, repeat)
    return {
        "what": f"{layer.name} {dialect}",
        "path": path,
        "seconds": seconds,
        "instructions": len(stream.words),
        "gmac_per_s": layer.macs / seconds / 1e9,
    }


def _tiny(name: str) -> npt.NDArray[np.uint64]:
    """Many of the smallest instruction of one sort: one element, one micro-op."""
    records = np.zeros(TINY_INSTRUCTIONS, INSN_DTYPE)
    if name in ("ALU", "GEMM"):
        records["opcode"] = Opcode[name]
        for field in ("uop_end", "iter_out", "iter_in", "use_imm"):
            records[field] = 1
        records["alu_opcode"] = 2
    else:
        records["opcode"] = Opcode.STORE if name == "OUT" else Opcode.LOAD
        records["memory_type"] = MemType[name]
        elem_bytes = {"UOP": 4, "INP": CONFIG.inp_bytes, "WGT": CONFIG.wgt_bytes,
                      "OUT": CONFIG.out_bytes}[name]  # fmt: skip
        records["x_size"] = records["y_size"] = records["x_stride"] = 1
        records["dram_base"] = BASES[name] // elem_bytes
        depth = {
            "UOP": 1,
            "INP": CONFIG.inp_depth,
            "WGT": CONFIG.wgt_depth,
            "OUT": CONFIG.acc_depth,
        }
        records["sram_base"] = np.arange(len(records)) % depth[name]
    records[-1] = 0
    records["opcode"][-1] = Opcode.FINISH
    return encode(records, CONFIG)


def tiny_row(name: str, path: str, repeat: int) -> dict[str, Any]:
    """Nanoseconds of one minimal instruction."""
    words = _tiny(name)
    parts = {kind: np.zeros(CONFIG.wgt_bytes, np.uint8) for kind in ("UOP", "INP", "WGT", "OUT")}
    seconds = _seconds(words, _dram(words, parts), path, repeat)
    label = {"ALU": "ALU", "GEMM": "GEMM", "OUT": "STORE"}.get(name, f"LOAD {name}")
    return {
        "what": f"minimal {label}",
        "path": path,
        "seconds": seconds,
        "instructions": len(words),
        "ns_per_instruction": seconds / len(words) * 1e9,
    }


def rows(paths: tuple[str, ...], repeat: int) -> Iterator[dict[str, Any]]:
    """Every measurement, path by path."""
    for path in paths:
        for layer in LAYERS:
            yield layer_row(layer, "unrolled", path, repeat)
            yield layer_row(layer, "looped", path, repeat)
        for name in ("UOP", "INP", "WGT", "OUT", "ALU", "GEMM"):
            yield tiny_row(name, path, repeat)


def run(quick: bool) -> list[Row]:
    """Rows of `python -m bench`: every path, and the peak of one core."""
    repeat = 3 if quick else 9
    limits = peaks(repeat)
    table = []
    for row in rows(available_paths()[::-1], repeat):
        path, metric = row["path"], f"{row['what']}, {row['path']}"
        if "gmac_per_s" in row:
            share = row["gmac_per_s"] / limits[path] if path in limits else None
            note = f"{share:.0%} of the core's peak" if share is not None else ""
            target = GMAC_TARGETS.get(path)
            table.append(Row(metric, row["gmac_per_s"], "GMAC/s", target, note))
        else:
            target = None if "GEMM" in metric else TINY_TARGET_NS
            table.append(Row(metric, row["ns_per_instruction"], "ns", target))
    for path, limit in sorted(limits.items()):
        table.append(Row(f"peak of one core, {path}", limit, "GMAC/s", None, "in registers"))
    return table


def main() -> None:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--path", choices=available_paths(), action="append")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    paths = tuple(options.path or available_paths()[::-1])
    found, limits = list(rows(paths, options.repeat)), peaks(options.repeat)
    for row in found:
        if "gmac_per_s" in row and row["path"] in limits:
            row["of_peak"] = row["gmac_per_s"] / limits[row["path"]]
    if options.json:
        print(json.dumps({"simulator": found, "peak_gmac_per_s": limits}))
        return
    print(f"{'path':<12}{'what':<20}{'insns':>8}{'ms':>9}{'GMAC/s':>9}{'of peak':>9}{'ns/insn':>9}")
    for row in found:
        gmac = f"{row['gmac_per_s']:.1f}" if "gmac_per_s" in row else ""
        share = f"{row['of_peak']:.0%}" if "of_peak" in row else ""
        nanoseconds = f"{row['ns_per_instruction']:.1f}" if "ns_per_instruction" in row else ""
        print(
            f"{row['path']:<12}{row['what']:<20}{row['instructions']:>8}"
            f"{row['seconds'] * 1e3:>9.3f}{gmac:>9}{share:>9}{nanoseconds:>9}"
        )
    for path, limit in sorted(limits.items()):
        print(f"peak of one core with the instructions of {path}: {limit:.1f} GMAC/s")


if __name__ == "__main__":
    main()
