"""Conformance cases as the C++ test benches in `hls/tb` read them: plain lines and raw files.

`python -m vta_pynq.sim.case_list FOLDER CASE...` writes one list for each case into FOLDER, and
prints their paths.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from vta_pynq.conformance import Case, load_case
from vta_pynq.errors import ProgramError, VtaError
from vta_pynq.sim.replay import find_cases

__all__ = ["write_case_list"]


def write_case_list(case: Case, folder: Path) -> Path:
    """Write a case's list and the bytes of its segments and outputs; the path of the list.

    Lines: `insn ADDRESS COUNT`, `tokens L2G G2L G2S S2G`, `segment ADDRESS SIZE FILE` and
    `expect ADDRESS SIZE FILE`; addresses and sizes in bytes, FILE `-` for zeros.
    """
    stream = case.stream
    lines = [
        f"insn {case.insn_phys} {len(stream)}",
        "tokens " + " ".join(map(str, stream.tokens_in)),
    ]
    for number, segment in enumerate(stream.segments):
        name = "-"
        if segment.data is not None:
            path = folder / f"{case.name}.{number}.bin"
            path.write_bytes(segment.data.tobytes())
            name = str(path)
        lines.append(f"segment {segment.phys} {segment.size} {name}")
    for number, output in enumerate(case.outputs):
        path = folder / f"{case.name}.expected{number}.bin"
        path.write_bytes(output.expected.tobytes())
        lines.append(f"expect {output.phys} {output.expected.size} {path}")
    listed = folder / f"{case.name}.list"
    listed.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return listed


def main(arguments: Sequence[str]) -> int:
    """Write the lists; exit code 2 if an argument is not usable."""
    try:
        if len(arguments) < 2:
            raise ProgramError("case_list: FOLDER and at least one CASE must be given")
        folder = Path(arguments[0]).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        for path in find_cases(arguments[1:]):
            print(write_case_list(load_case(path), folder))
    except VtaError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
