"""Random programs, placed at random, with everything poisoned between runs, against numpy."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.runtime.programs import Dense, Maker, random_weights
from tests.runtime.test_state import poison
from vta_pynq.overlay import VtaOverlay
from vta_pynq.program import ArenaKind, Program

pytestmark = pytest.mark.simulator

RUNS = 3


@dataclasses.dataclass
class Node:
    """One step: what it does to `source` to make tensor number `target`."""

    kind: str
    source: int
    target: int
    amount: int = 0


class RandomProgram:
    """A program on int8 tensors of one shape in the accelerator's layout.

    Tensor 0 is the input. Each step reads a random earlier tensor, on either side; the last
    tensors are outputs. The others lie in a few arenas, in which memory is used again as soon as
    a tensor is dead.
    """

    def __init__(self, rng: np.random.Generator, overlay: VtaOverlay) -> None:
        block = overlay.config.block
        self.dense = Dense(random_weights(rng, block, block), config=overlay.config)
        self.nodes = []
        for number in range(1, int(rng.integers(2, 14))):
            # Not always the latest: what is needed later must survive what happens beside it.
            source = int(rng.integers(max(0, number - 5), number))
            kind = str(rng.choice(["vta", "vta", "relu", "offset"]))
            self.nodes.append(Node(kind, source, number, int(rng.integers(1, 100))))
        self.outputs = sorted({self.nodes[-1].target, int(rng.choice(self.nodes).target)})
        self.program = self._build(rng)

    def _build(self, rng: np.random.Generator) -> Program:
        maker = Maker("random", self.dense.config)
        arenas = int(rng.integers(1, 4))
        shape = self.dense.x_shape()
        size = maker.activation_bytes(shape)
        slot = -(-size // 64) * 64
        last = {0: -1}
        for number, node in enumerate(self.nodes):
            last[node.source] = number
            last.setdefault(node.target, number)
        used: dict[tuple[int, int], int] = {}
        places = {}
        for number, node in enumerate(self.nodes):
            if node.target in self.outputs:
                continue
            arena = int(rng.integers(arenas))
            place = 0
            while used.get((arena, place), -1) >= number:
                place += 1
            used[arena, place] = last[node.target]
            places[node.target] = (arena, place, (number, last[node.target]))
        maker.tensor("t0", shape, ArenaKind.INPUT)
        for arena in range(arenas):
            slots = [place for a, place in used if a == arena]
            if slots:
                maker.arena(f"arena{arena}", ArenaKind.SCRATCH, (max(slots) + 1) * slot)
        for node in self.nodes:
            name = f"t{node.target}"
            if node.target in self.outputs:
                maker.tensor(name, shape, ArenaKind.OUTPUT)
            else:
                arena, place, lifetime = places[node.target]
                maker.tensor(
                    name, shape, None, arena=f"arena{arena}", offset=place * slot,
                    lifetime=lifetime,
                )  # fmt: skip
        for number, node in enumerate(self.nodes):
            source, target = f"t{node.source}", f"t{node.target}"
            if node.kind == "vta":
                maker.vta(f"s{number}", self.dense.kernel(), x=source, y=target)
            elif node.kind == "relu":
                maker.cpu(f"s{number}", "relu", [source], [target])
            else:
                attributes = {"offset": node.amount, "dtype": "int8"}
                maker.cpu(f"s{number}", "offset", [source], [target], **attributes)
        return maker.build()

    def reference(self, x: np.ndarray) -> dict[str, np.ndarray]:
        values = {0: x}
        for node in self.nodes:
            source = values[node.source]
            if node.kind == "vta":
                values[node.target] = self.dense.reference(source)
            elif node.kind == "relu":
                values[node.target] = np.maximum(source, 0)
            else:
                values[node.target] = source + np.int8(node.amount)
        return {f"t{number}": values[number] for number in self.outputs}


def check(overlay: VtaOverlay, seed: int) -> None:
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    made = RandomProgram(rng, overlay)
    with overlay.load(made.program) as model:
        for _ in range(RUNS):
            x = rng.integers(-128, 128, made.dense.x_shape()).astype(np.int8)
            result = model.run(x)
            results = result if isinstance(result, tuple) else (result,)
            expected = made.reference(x)
            for port, y in zip(model.outputs, results, strict=True):
                np.testing.assert_array_equal(y, expected[port.name])
            poison(overlay, model)


@pytest.mark.parametrize("number", range(60))
def test_run_random_program_agrees_with_numpy(overlay: VtaOverlay, number: int):
    check(overlay, number)


def test_run_new_random_programs_agree_with_numpy(overlay: VtaOverlay):
    for seed in np.random.SeedSequence().generate_state(20):
        check(overlay, int(seed))


@pytest.mark.slow
def test_run_many_random_programs_agree_with_numpy(overlay: VtaOverlay):
    for seed in np.random.SeedSequence().generate_state(600):
        check(overlay, int(seed))
