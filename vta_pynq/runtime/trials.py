"""Runs programs one after the other on a device, checks their outputs and takes their times.

`python -m vta_pynq.runtime.trials --device D --overlay NAME` reads requests and writes answers, a
JSON object a line. The host compiler's tuner measures through it: compiler and device are in
different processes, so neither needs the packages of the other, and one that hangs or dies does
not take the other along.

| request | answer |
|---|---|
| (none: the first line) | `device`, `simulated`, `config`, `profile`, `clock_mhz` |
| paths `program`, `feeds`, `wanted` (or null); `repeat`, `timeout_s` | as `TrialTimes` |
| what failed | `error` |
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt

from vta_pynq.errors import VtaError
from vta_pynq.overlay import VtaOverlay
from vta_pynq.overlay.descriptions import find_variant
from vta_pynq.overlay.devices import is_simulated
from vta_pynq.program import Layout, Program

__all__ = ["TrialTimes", "device_facts", "main", "run_trial", "serve"]

_POISON = -91
"""In outputs before each run."""

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclasses.dataclass(frozen=True)
class TrialTimes:
    """What a trial came to.

    Attributes
    ----------
    wrong, values
        Output values that differ from the wanted ones, of how many that were compared.
    seconds
        Wall-clock time of each run, without copying of inputs and outputs.
    """

    wrong: int
    values: int
    seconds: tuple[float, ...]


def run_trial(
    overlay: VtaOverlay,
    program: Program,
    feeds: Arrays,
    wanted: Arrays | None,
    repeat: int,
    timeout_s: float,
) -> TrialTimes:
    """Run a program on these inputs, compare every run's outputs, and take the time of each.

    Parameters
    ----------
    overlay
        Where it runs.
    feeds, wanted
        Arrays by the names of the program's inputs and outputs. An output may have further values
        beyond the extents of the wanted one. None: nothing is compared.
    repeat
        Timed runs; one that is not timed comes before them.
    timeout_s
        Deadline of each accelerator step, in seconds.

    Raises
    ------
    VtaError
        The program does not belong on the overlay, or the device failed.
    """
    seconds = []
    wrong = values = 0
    with overlay.load(program) as model:
        outputs = model.run(*(feeds[name] for name in program.inputs), timeout_s=timeout_s)
        found = outputs if isinstance(outputs, tuple) else (outputs,)
        wrong, values = _compare(dict(zip(program.outputs, found, strict=True)), wanted)
        for port in model.inputs:
            port.buffer[:] = Layout.parse(port.layout).pack(feeds[port.name])
        for _ in range(repeat):
            for port in model.outputs:
                port.buffer[:] = _POISON  # what a run leaves out must show
            begin = time.perf_counter()
            model.execute(timeout_s)
            seconds.append(time.perf_counter() - begin)
            again = {
                port.name: Layout.parse(port.layout).unpack(np.asarray(port.buffer), port.shape)
                for port in model.outputs
            }
            more, count = _compare(again, wanted)
            wrong, values = wrong + more, values + count
    return TrialTimes(wrong, values, tuple(seconds))


def _compare(found: Arrays, wanted: Arrays | None) -> tuple[int, int]:
    """Values that differ, of all wanted ones."""
    wrong = values = 0
    for name, array in (wanted or {}).items():
        part = found[name][tuple(slice(extent) for extent in array.shape)]
        wrong += int(np.count_nonzero(part != array))
        values += array.size
    return wrong, values


def device_facts(overlay: VtaOverlay) -> dict[str, Any]:
    """What the other side needs to know; `clock_mhz` is None for designs that were never built."""
    variant = find_variant(overlay.identity.variant)
    clock_mhz = None if variant is None else variant.clock_mhz
    if clock_mhz is None and not is_simulated(overlay.device):
        from pynq import Clocks

        clock_mhz = float(Clocks.fclk0_mhz)
    return {
        "device": str(overlay.device.name),
        "simulated": is_simulated(overlay.device),
        "config": overlay.config.name,
        "profile": overlay.identity.profile.name,
        "clock_mhz": clock_mhz,
    }


def serve(overlay: VtaOverlay, requests: TextIO, answers: TextIO) -> None:
    """Answer requests until their end."""

    def answer(values: Mapping[str, Any]) -> None:
        answers.write(json.dumps(values) + "\n")
        answers.flush()

    answer(device_facts(overlay))
    for line in requests:
        request = json.loads(line)
        try:
            times = run_trial(
                overlay,
                Program.load(request["program"]),
                _arrays(request["feeds"]),
                None if request["wanted"] is None else _arrays(request["wanted"]),
                request["repeat"],
                request["timeout_s"],
            )
            answer(dataclasses.asdict(times))
        except VtaError as error:
            answer({"error": str(error)})


def _arrays(path: str) -> Arrays:
    with np.load(path, allow_pickle=False) as content:
        return {name: content[name] for name in content.files}


def main(argv: Sequence[str] | None = None) -> int:
    """Serve standard input until its end; 2 where there is no such device or overlay."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device")
    parser.add_argument("--overlay", required=True)
    options = parser.parse_args(argv)
    # Whatever prints, pynq for one, must not get into the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with answers:
        try:
            with VtaOverlay(options.overlay, device=options.device) as overlay:
                serve(overlay, sys.stdin, answers)
        except VtaError as error:
            answers.write(json.dumps({"error": str(error)}) + "\n")
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
