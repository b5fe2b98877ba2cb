"""`vta disasm`: print the instructions of a program, a case or a raw binary as text."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from vta_pynq.config_export import load_config
from vta_pynq.conformance import is_case, load_case
from vta_pynq.disassembler import disassemble
from vta_pynq.errors import EncodeError, ProgramError
from vta_pynq.isa.encode import as_words
from vta_pynq.stream import InstructionStream

HELP = "print the instructions of a program, case or raw binary as assembler text"

EXAMPLES = (
    "vta disasm net.vta -n | less",
    "vta disasm instructions.bin --config 1x16_i8w8a32_15_15_18_17",
)

_RAW_SUFFIX = ".bin"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "program",
        metavar="PROGRAM|CASE|FILE.bin",
        type=Path,
        help="a program file, the folder of a conformance case, or raw instructions",
    )
    parser.add_argument(
        "--config", metavar="NAME|FILE", help="the configuration of raw instructions"
    )
    parser.add_argument(
        "-n", "--number", action="store_true", help="put its index before each instruction"
    )


def run(args: argparse.Namespace) -> int:
    """Print the text of every stream."""
    for position, stream in enumerate(_streams(args.program, args.config)):
        sys.stdout.write("\n" * bool(position) + disassemble(stream, args.number))
    return 0


def _streams(path: Path, config: str | None) -> Iterable[InstructionStream]:
    raw = path.suffix == _RAW_SUFFIX
    if raw and config is None:
        raise ProgramError(
            f"{path}: configuration must be given for raw instructions; add --config"
        )
    if config is not None and not raw:
        raise ProgramError(
            f"{path}: --config must be given for raw instructions ({_RAW_SUFFIX}) only; "
            "programs and cases bring their own"
        )
    if raw:
        try:
            words = as_words(path.read_bytes())
        except EncodeError as error:
            raise ProgramError(f"{path}: {error}") from None
        return [InstructionStream(path.name, load_config(config or ""), words)]
    if is_case(path):
        return [load_case(path).stream]
    from vta_pynq.program import Program  # a whole room that cases do not need

    return Program.load(path).streams()
