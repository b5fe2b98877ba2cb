"""`vta info`: what is inside a program file or a conformance case."""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from vta_pynq.config import HwConfig
from vta_pynq.conformance import Case, is_case, load_case
from vta_pynq.isa.encode import decode
from vta_pynq.isa.table import INSN_BYTES, Opcode
from vta_pynq.program import Program, Step, Tensor, VtaStep

__all__ = ["HELP", "add_arguments", "case_facts", "program_facts", "run"]

HELP = "show what is inside a program file or case: inputs and outputs, steps, sizes, memory plan"

EXAMPLES = (
    "vta info net.vta",
    "vta info net.vta --json | jq .inputs",
)

_CHART_COLUMNS = 48
_MAX_LABELS = 40


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("program", help="program file, or folder of a conformance case")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def run(args: argparse.Namespace) -> int:
    """Print the facts; exit code 0.

    Raises
    ------
    ProgramError
        The file or case is not readable.
    """
    if is_case(args.program):
        case = load_case(args.program)
        print(_dump(case_facts(case)) if args.json else "\n".join(_case_lines(case)))
        return 0
    program = Program.load(args.program)
    print(_dump(program_facts(program)) if args.json else "\n".join(_program_lines(program)))
    return 0


def _dump(facts: dict[str, Any]) -> str:
    return json.dumps(facts, indent=2)


def _mix(words: npt.NDArray[np.uint64], config: HwConfig) -> dict[str, int]:
    """How many instructions there are of each opcode."""
    counts = Counter(decode(words, config)["opcode"].tolist())
    return {opcode.name: counts[opcode] for opcode in Opcode if counts[opcode]}


# ---- facts -------------------------------------------------------------------------------


def _tensor_facts(program: Program, tensor: Tensor) -> dict[str, Any]:
    quantization = tensor.quantization
    return {
        "name": tensor.name,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "layout": tensor.layout,
        "arena": tensor.arena,
        "offset": tensor.offset,
        "bytes": tensor.bytes,
        "lifetime": list(program.lifetime(tensor)),
        "alias_of": tensor.alias_of,
        "quantization": quantization
        and {
            "scales": list(quantization.scales),
            "zero_points": list(quantization.zero_points),
            "axis": quantization.axis,
        },
    }


def _step_facts(program: Program, step: Step) -> dict[str, Any]:
    facts: dict[str, Any] = {"name": step.name}
    if isinstance(step, VtaStep):
        mix = _mix(program.words[step.begin : step.end], program.config)
        facts.update(kind="vta", instructions=[step.begin, step.end], mix=mix)
    else:
        facts.update(kind="cpu", op=step.op)
    return {**facts, "inputs": list(step.inputs), "outputs": list(step.outputs)}


def program_facts(program: Program) -> dict[str, Any]:
    """What `vta info --json` prints about a program."""
    device = {arena.name for arena in program.device_arenas}
    return {
        "kind": "program",
        "version": list(program.version),
        "model": program.model,
        "config": program.config.name,
        "fingerprint": program.config.fingerprint,
        "profile": program.profile,
        "content_hash": program.content_hash,
        "metadata": dict(program.metadata),
        "inputs": [_tensor_facts(program, tensor) for tensor in program.input_tensors],
        "outputs": [_tensor_facts(program, tensor) for tensor in program.output_tensors],
        "instructions": len(program.words),
        "relocations": len(program.relocations),
        "steps": [_step_facts(program, step) for step in program.steps],
        "arenas": [
            {
                "name": arena.name,
                "kind": str(arena.kind),
                "bytes": arena.bytes,
                "alignment": arena.alignment,
                "device": arena.name in device,
            }
            for arena in program.arenas
        ],
        "tensors": [_tensor_facts(program, tensor) for tensor in program.tensors],
        "labels": [[label.begin, label.end, label.name] for label in program.labels],
    }


def case_facts(case: Case) -> dict[str, Any]:
    """What `vta info --json` prints about a conformance case."""
    stream = case.stream
    return {
        "kind": "case",
        "name": case.name,
        "config": stream.config.name,
        "fingerprint": stream.config.fingerprint,
        "instructions": len(stream),
        "mix": _mix(stream.words, stream.config),
        "tokens_in": list(stream.tokens_in),
        "segments": [
            {"kind": s.kind, "name": s.name, "address": s.phys, "bytes": s.size}
            for s in stream.segments
        ],
        "outputs": [{"address": o.phys, "bytes": len(o.expected)} for o in case.outputs],
    }


# ---- text --------------------------------------------------------------------------------


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows)
    return ["  " + "  ".join(cells).rstrip() for cells in padded]


def _size(count: int) -> str:
    return f"{count} B" if count < 10_240 else f"{count / 1024:.1f} KiB"


def _ends(title: str, tensors: tuple[Tensor, ...]) -> list[str]:
    rows = []
    for tensor in tensors:
        q = tensor.quantization
        scale = ""
        if q is not None and q.axis is None:
            scale = f"scale {q.scales[0]:.6g}, zero point {q.zero_points[0]}"
        elif q is not None:
            scale = f"{len(q.scales)} scales along axis {q.axis}"
        shape = "x".join(map(str, tensor.shape)) or "scalar"
        rows.append((tensor.name, f"{tensor.dtype} {shape}", tensor.layout, scale))
    return [f"{title}:", *(_table(rows) if rows else ["  none"])]


def _steps(program: Program) -> list[str]:
    rows = []
    for number, step in enumerate(program.steps):
        if isinstance(step, VtaStep):
            mix = _mix(program.words[step.begin : step.end], program.config)
            what = f"insn {step.begin}..{step.end - 1}"
            what += f" ({', '.join(f'{count} {name}' for name, count in mix.items())})"
        else:
            what = step.op
        kind = "vta" if isinstance(step, VtaStep) else "cpu"
        flow = f"{', '.join(step.inputs) or '-'} -> {', '.join(step.outputs) or '-'}"
        rows.append((str(number), kind, step.name, what, flow))
    return ["steps:", *_table(rows)]


def _bar(first: int, last: int, steps: int) -> str:
    """Lifetime over the steps, at most `_CHART_COLUMNS` wide; a column is one or more steps."""
    each = math.ceil(steps / _CHART_COLUMNS)
    columns = range(math.ceil(steps / each))
    return "".join("#" if first // each <= column <= last // each else "." for column in columns)


def _plan(program: Program) -> list[str]:
    lines = ["memory plan (# = alive, one column is a step or several):"]
    device = {arena.name for arena in program.device_arenas}
    count = len(program.steps)
    for arena in program.arenas:
        where = "contiguous" if arena.name in device else "CPU only"
        lines.append(
            f"  {arena.name}: {arena.kind}, {_size(arena.bytes)}, aligned to {arena.alignment}, "
            f"{where}"
        )
        tensors = sorted(program.tensors_in(arena.name), key=lambda t: (t.offset, t.name))
        rows = []
        for tensor in tensors:
            first, last = program.lifetime(tensor)
            name = tensor.name if tensor.alias_of is None else f"{tensor.name} = {tensor.alias_of}"
            span = f"{tensor.offset:#x}..{tensor.end - 1:#x}"
            rows.append((span, _size(tensor.bytes), f"|{_bar(first, last, count)}|", name))
        lines += ["  " + line for line in _table(rows)] if rows else []
    return lines


def _program_lines(program: Program) -> list[str]:
    used = sum(arena.bytes for arena in program.arenas)
    lines = [
        f"program {program.model} (format {'.'.join(map(str, program.version))})",
        f"configuration: {program.config.name} (fingerprint {program.config.fingerprint})",
        f"compiled for: {program.profile}",
        f"content: {program.content_hash}",
        f"size: {len(program.words)} instructions ({_size(len(program.words) * INSN_BYTES)}), "
        f"{len(program.relocations)} relocations, {len(program.steps)} steps, "
        f"{_size(used)} in {len(program.arenas)} arenas",
        *(f"{name}: " + text.replace("\n", "\n  ") for name, text in program.metadata.items()),
        *_ends("inputs", program.input_tensors),
        *_ends("outputs", program.output_tensors),
        *_steps(program),
        *_plan(program),
    ]
    if program.labels:
        lines.append("labels:")
        shown = program.labels[:_MAX_LABELS]
        lines += _table([(f"insn {x.begin}..{x.end - 1}", x.name) for x in shown])
        if len(shown) < len(program.labels):
            lines.append(f"  and {len(program.labels) - len(shown)} more; --json has them all")
    return lines


def _case_lines(case: Case) -> list[str]:
    stream = case.stream
    mix = ", ".join(f"{n} {name}" for name, n in _mix(stream.words, stream.config).items())
    segments = [
        (s.kind, f"{s.phys:#010x}", _size(s.size), s.name if s.data is not None else "zeros")
        for s in stream.segments
    ]
    outputs = [(f"{o.phys:#010x}", _size(len(o.expected))) for o in case.outputs]
    return [
        f"case {case.name}",
        f"configuration: {stream.config.name} (fingerprint {stream.config.fingerprint})",
        f"size: {len(stream)} instructions ({mix})",
        f"tokens at start: {', '.join(map(str, stream.tokens_in))}",
        "segments:",
        *_table(segments),
        "expected output:",
        *_table(outputs),
    ]
