"""What the choice of a schedule depends on, as a short key: layers that are alike share one."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np

from host_compiler.lower.alu_steps import AluStep
from host_compiler.lower.prepared import Prepared
from host_compiler.lower.vectors import VectorSet

__all__ = ["signature"]


def signature(prepared: Prepared) -> str:
    """32 hexadecimal digits: shapes, taps, tiles in use, steps, configuration and profile.

    The values of weights and biases and the names of tensors play no part.
    """
    target = prepared.target
    vectors = VectorSet(prepared, True)
    facts = {
        "config": target.config.name,
        "profile": target.profile.name,
        "images": prepared.images,
        "blocks": prepared.out_blocks,
        "planes": prepared.layer.planes,
        "extents": prepared.spaces.extents,
        "pools": [repr(pool) for pool in prepared.spaces.pools],
        "vectors": [len(vectors.in_acc), len(vectors.as_tiles)],
        "stages": [_stage(prepared, number) for number in range(len(prepared.stages))],
    }
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _stage(prepared: Prepared, number: int) -> dict[str, Any]:
    stage, addend = prepared.stages[number], prepared.addends[number]
    terms = []
    for work in prepared.terms:
        if work.stage == number:
            term = work.term
            terms.append(
                {
                    "source": [work.source_key == t.source_key for t in prepared.terms],
                    "shape": term.source.shape,
                    "taps": [(t.phase, t.dy, t.dx, t.weight) for t in term.taps],
                    "step": term.step,
                    "period": term.period,
                    "pairs": np.packbits(work.pairs).tobytes().hex(),
                    "shared": work.shared is not None,
                }
            )
    steps = [
        (type(s).__name__, int(s.op), isinstance(s.operand, int), s.aside)
        if isinstance(s, AluStep)
        else (repr(s),)
        for s in stage.steps
    ]
    return {
        "terms": terms,
        "steps": steps,
        "addend": 0 if addend is None else len(addend.vectors()),
    }
