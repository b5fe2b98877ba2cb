"""Assembler text to instruction streams. docs/isa.md, "Assembler text", gives the grammar."""

from __future__ import annotations

import dataclasses
import json
import re

import numpy as np
import numpy.typing as npt

from vta_pynq.config import UOP_BYTES, HwConfig
from vta_pynq.errors import AsmError, ConfigError
from vta_pynq.isa.encode import INSN_DTYPE, UOP_DTYPE, encode, encode_uops
from vta_pynq.isa.mnemonic import parse_insn, parse_number, parse_uop
from vta_pynq.isa.table import DRAM_BYTES, TOKENS, MemType, elem_bytes
from vta_pynq.stream import InstructionStream, Segment, StreamLabel

__all__ = ["assemble"]

_SYMBOL = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_INDEX = re.compile(r"^\s*[0-9]+:\s")
_LABEL = re.compile(r"([A-Za-z_][A-Za-z0-9_.]*):")
_MARK = re.compile(r";; ([0-9]{1,9}) ?(.*)")
_MOST_ERRORS = 20


def assemble(
    text: str, config: HwConfig | None = None, name: str = "assembly"
) -> InstructionStream:
    """Assemble one stream.

    Parameters
    ----------
    text
        What `vta_pynq.disassembler.disassemble` prints, or written by hand.
    config
        Used where the text has no `.config` line; refused where it contradicts that line.
    name
        The stream's name where the text has no `.stream` line.

    Raises
    ------
    AsmError
        The text is not understood. The message has a line for each mistake, up to 20 of them,
        each beginning with `line N: `.
    """
    assembler = _Assembler(config, name)
    errors: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            assembler.line(line)
        except AsmError as error:
            errors.append(f"line {number}: {error}")
    for number, message in assembler.unresolved():
        errors.append(f"line {number}: {message}")
    if errors:
        errors.sort(key=lambda message: int(message[5 : message.index(":")]))
        more = len(errors) - _MOST_ERRORS
        shown = errors[:_MOST_ERRORS] + ([f"and {more} more mistakes"] if more > 0 else [])
        raise AsmError("\n".join(shown))
    return assembler.stream()


@dataclasses.dataclass
class _OpenSegment:
    name: str
    kind: str
    phys: int
    size: int
    data: bytearray = dataclasses.field(default_factory=bytearray)
    cursor: int = 0
    """Byte offset at which the next micro-op goes."""

    def put(self, word: int) -> None:
        end = self.cursor + UOP_BYTES
        if end > self.size:
            raise AsmError(f"micro-ops must fit segment {self.name} of {self.size} bytes")
        self.data.extend(bytes(max(0, end - len(self.data))))
        self.data[self.cursor : end] = word.to_bytes(UOP_BYTES, "little")
        self.cursor = end

    def close(self) -> Segment:
        data = np.frombuffer(bytes(self.data), np.uint8) if self.data else None
        return Segment(self.name, self.kind, self.phys, self.size, data)


class _Assembler:
    """Collects what the lines say; symbols may be used before they are defined."""

    def __init__(self, config: HwConfig | None, name: str) -> None:
        self.config, self.name = config, name
        self.given_config = config
        self.seen: set[str] = set()
        self.tokens = [0] * len(TOKENS)
        self.segments: list[_OpenSegment] = []
        self.symbols: dict[str, int] = {}
        self.insns: list[dict[str, int]] = []
        self.dirty: list[int] = []
        self.raw: dict[int, int] = {}
        self.labels: list[StreamLabel] = []
        self.later: list[tuple[int, int, str, int, int]] = []
        self.lines = 0
        self.in_kernel = False

    def line(self, line: str) -> None:
        self.lines += 1
        mark = _MARK.fullmatch(line.strip())
        if mark:
            begin = len(self.insns)
            self.labels.append(StreamLabel(begin, begin + int(mark[1]), mark[2]))
            return
        if line.startswith(".stream "):  # a quoted name may hold a semicolon
            self._once(".stream")
            self.name = self._quoted(line[len(".stream ") :])
            return
        words = _INDEX.sub("", line.partition(";")[0], count=1).split()
        if not words:
            return
        label = _LABEL.fullmatch(words[0])
        if label:
            self._kernel(label[1], words[1:])
        elif words[0] == ".word":
            self._word(words[1:])
        elif words[0].startswith("."):
            self._directive(words[0], words[1:])
        elif parse_number(words[0]) is not None:
            self._uop(words)
        else:
            self._insn(words)

    # ---- directives ----------------------------------------------------------------------

    def _once(self, directive: str) -> None:
        if directive in self.seen:
            raise AsmError(f"{directive} must be given once; assemble one stream at a time")
        self.seen.add(directive)

    def _quoted(self, text: str) -> str:
        try:
            value, end = json.JSONDecoder().raw_decode(text.lstrip())
        except (ValueError, RecursionError):
            value, end = None, 0
        if not isinstance(value, str) or text.lstrip()[end:].partition(";")[0].strip():
            raise AsmError(f".stream must be followed by a quoted name, not '{text.strip()}'")
        return value

    def _directive(self, directive: str, words: list[str]) -> None:
        if directive == ".config":
            self._set_config(words)
        elif directive == ".tokens":
            self._set_tokens(words)
        elif directive == ".segment":
            self._open_segment(words)
        else:
            raise AsmError(
                "directive must be one of .stream, .config, .tokens, .segment, .word, "
                f"not '{directive}'"
            )

    def _set_config(self, words: list[str]) -> None:
        self._once(".config")
        if len(words) != 1:
            raise AsmError(f".config must be followed by one name, not {len(words)} words")
        if self.insns or self.segments:
            raise AsmError(".config must come before instructions and segments")
        try:
            named = HwConfig.from_name(words[0])
        except ConfigError as error:
            raise AsmError(str(error)) from None
        if self.given_config is not None and named != self.given_config:
            raise AsmError(f".config must be {self.given_config.name}, not {named.name}")
        self.config = named

    def _set_tokens(self, words: list[str]) -> None:
        self._once(".tokens")
        counts = [parse_number(word) for word in words]
        if len(counts) != len(TOKENS) or any(count is None or count < 0 for count in counts):
            names = " ".join(token.name for token in TOKENS)
            raise AsmError(f".tokens must be followed by {len(TOKENS)} counts ({names})")
        self.tokens = [count or 0 for count in counts]

    def _open_segment(self, words: list[str]) -> None:
        self.in_kernel = False
        numbers = [parse_number(word) for word in words[2:]]
        if len(words) != 4 or None in numbers or not _SYMBOL.fullmatch(words[0]):
            raise AsmError(".segment must be followed by a name, a kind, an address and a size")
        phys, size = (number or 0 for number in numbers)
        if phys < 0 or size < 0 or phys + size > DRAM_BYTES:
            raise AsmError(f"segment {words[0]} must lie below 2^32")
        self._define(words[0], phys)
        self.segments.append(_OpenSegment(words[0], words[1], phys, size))
        self.in_kernel = True

    def _define(self, symbol: str, phys: int) -> None:
        if symbol in self.symbols:
            raise AsmError(f"symbol {symbol} must be defined once")
        self.symbols[symbol] = phys

    # ---- micro-ops -----------------------------------------------------------------------

    def _here(self, what: str) -> _OpenSegment:
        if not self.in_kernel:
            raise AsmError(f"{what} must follow a .segment line")
        return self.segments[-1]

    def _kernel(self, label: str, rest: list[str]) -> None:
        segment = self._here(f"label {label}")
        if rest:
            phys = parse_number(rest[0])
            if len(rest) > 1 or phys is None:
                raise AsmError(f"label {label} must stand alone on its line, or with an address")
            if not segment.phys <= phys < segment.phys + segment.size:
                raise AsmError(
                    f"label {label} must lie in segment {segment.name}, not at {rest[0]}"
                )
            segment.cursor = phys - segment.phys
        self._define(label, segment.phys + segment.cursor)

    def _uop(self, words: list[str]) -> None:
        self._here("micro-op")
        uop = np.array([parse_uop(words, self._config())], UOP_DTYPE)
        self._put_uop(int(encode_uops(uop, self._config())[0]))

    def _put_uop(self, word: int) -> None:
        self._here("micro-op").put(word)

    # ---- instructions --------------------------------------------------------------------

    def _config(self) -> HwConfig:
        if self.config is None:
            self.config = HwConfig()  # so that only one mistake is reported
            raise AsmError(".config must come before instructions and segments")
        return self.config

    def _word(self, words: list[str]) -> None:
        """Raw bits: of a micro-op where one may stand, otherwise of an instruction."""
        bits = 32 if self.in_kernel else 128
        if bits == 32 and len(words) == 1 and len(words[0]) > 10:
            bits = 128  # written with all its digits, as an instruction is
        number = parse_number(words[0]) if len(words) == 1 else None
        if number is None or not 0 <= number < 1 << bits:
            raise AsmError(f".word must be followed by one number of {bits} bits")
        if bits == 32:
            self._put_uop(number)
            return
        self.in_kernel = False
        self._config()
        self.raw[len(self.insns)] = number
        self.insns.append({})
        self.dirty.append(0)

    def _insn(self, words: list[str]) -> None:
        self.in_kernel = False
        values, reserved = parse_insn(words, self._config(), self._address)
        self.insns.append(values)
        self.dirty.append(reserved)

    def _address(self, symbol: str, offset: int, memory_type: int) -> int:
        """Value of `dram_base`; a symbol that comes later is filled in by `unresolved`."""
        if symbol not in self.symbols:
            if not _SYMBOL.fullmatch(symbol):
                raise AsmError(f"dram_base must be a number or a symbol, not '{symbol}'")
            self.later.append((self.lines, len(self.insns), symbol, offset, memory_type))
            return 0
        if memory_type not in list(MemType):
            raise AsmError(f"dram_base must be a number for memory type {memory_type}")
        size = elem_bytes(self._config(), memory_type)
        base, rest = divmod(self.symbols[symbol], size)
        if rest:
            raise AsmError(
                f"symbol {symbol} must lie at a multiple of {size} bytes "
                f"({MemType(memory_type).name} elements), not at {self.symbols[symbol]:#x}"
            )
        if not 0 <= base + offset < DRAM_BYTES:
            raise AsmError(f"dram_base must be in 0..{DRAM_BYTES - 1}, not {base + offset}")
        return base + offset

    def unresolved(self) -> list[tuple[int, str]]:
        """Fill in forward references; what is wrong with them, by line."""
        mistakes = []
        for number, index, symbol, offset, memory_type in self.later:
            try:
                if symbol not in self.symbols:
                    raise AsmError(f"symbol {symbol} must be defined by a segment or a label")
                if index < len(self.insns):
                    self.insns[index]["dram_base"] = self._address(symbol, offset, memory_type)
            except AsmError as error:
                mistakes.append((number, str(error)))
        return mistakes

    def stream(self) -> InstructionStream:
        config = self._config()
        records = np.zeros(len(self.insns), INSN_DTYPE)
        for name in INSN_DTYPE.names or ():
            records[name] = [values.get(name, 0) for values in self.insns]
        words = encode(records, config, check="width")
        for index, bits in enumerate(self.dirty):
            if bits:
                words[index] ^= _split(bits)
        for index, bits in self.raw.items():
            words[index] = _split(bits)
        counts = tuple(self.tokens)
        return InstructionStream(
            name=self.name,
            config=config,
            words=words,
            segments=tuple(segment.close() for segment in self.segments),
            tokens_in=(counts[0], counts[1], counts[2], counts[3]),
            labels=tuple(self.labels),
        )


def _split(bits: int) -> npt.NDArray[np.uint64]:
    return np.array([bits & (1 << 64) - 1, bits >> 64], np.uint64)
