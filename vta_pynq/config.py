"""HwConfig: the primary numbers of one VTA build, and every number that follows from them.

The facts come from the instruction-set specification (docs/isa.md, "Configuration"): only
base-two logarithms are configured, all sizes, depths and field widths are derived.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from vta_pynq.errors import ConfigError

__all__ = ["UOP_BYTES", "Capability", "HwConfig"]

UOP_BYTES = 4
"""Bytes of one micro-op, fixed by the instruction set."""

_WORD_BITS = 64
_UOP_BITS = 8 * UOP_BYTES
_GEMM_WORD0_FIXED_BITS = 9 + 2 * 14  # head 7, reset 1, the extra bit of uop_end, two loop counts
_ALU_WORD1_FIXED_BITS = 20  # opcode 3, use_imm 1, immediate 16
_SRAM_BASE_BITS = 16  # of LOAD and STORE


class Capability(str, enum.Enum):
    """What a hardware build can do beyond the published designs.

    The value is the word used in names (`…+alu_mul`), JSON and metadata.
    """

    ALU_MUL = "alu_mul"
    """The ALU executes MUL (32-bit product, low 32 bits)."""
    ALU_REQUANT = "alu_requant"
    """The ALU executes the fused bias, multiply, rounding shift and clip."""
    LOAD_ACC8 = "load_acc8"
    """LOAD accepts memory type ACC_8BIT: int8 in DRAM, sign-extended into the accumulator."""
    COUNTERS = "counters"
    """Cycle and stall counters per module can be read over AXI-Lite."""
    IDENTITY = "identity"
    """An identity register gives the design's version and this configuration's fingerprint."""
    INTERRUPT = "interrupt"
    """Completion raises an interrupt; done and error status are sticky until cleared."""
    SOFT_RESET = "soft_reset"
    """A register write clears queues, tokens and status."""

    def __str__(self) -> str:
        return self.value


_PRIMARY = {
    # attribute: (original vta_config.json key, smallest, largest, reason for the bounds)
    "log_inp_width": ("LOG_INP_WIDTH", 0, 5, "elements are 1 to 32 bits wide"),
    "log_wgt_width": ("LOG_WGT_WIDTH", 0, 5, "elements are 1 to 32 bits wide"),
    "log_acc_width": ("LOG_ACC_WIDTH", 3, 5, "accumulators are 8, 16 or 32 bits wide"),
    "log_batch": ("LOG_BATCH", 0, 8, "the GEMM core takes 1 to 256 rows"),
    "log_block": ("LOG_BLOCK", 0, 8, "the GEMM core takes 1 to 256 lanes"),
    "log_uop_buff_size": ("LOG_UOP_BUFF_SIZE", 0, 30, "buffers are 1 byte to 1 GiB"),
    "log_inp_buff_size": ("LOG_INP_BUFF_SIZE", 0, 30, "buffers are 1 byte to 1 GiB"),
    "log_wgt_buff_size": ("LOG_WGT_BUFF_SIZE", 0, 30, "buffers are 1 byte to 1 GiB"),
    "log_acc_buff_size": ("LOG_ACC_BUFF_SIZE", 0, 30, "buffers are 1 byte to 1 GiB"),
}
# Keys of the original vta_config.json that describe the target, not the accelerator.
_FOREIGN_KEYS = frozenset({"TARGET", "HW_VER", "HW_FREQ", "HW_CLK_TARGET"})
# Keys that say what follows from the others; they are checked, not used.
_DERIVED_KEYS = frozenset({"LOG_OUT_WIDTH", "LOG_OUT_BUFF_SIZE", "NAME", "FINGERPRINT", "DERIVED"})
_CAPABILITIES_KEY = "CAPABILITIES"

_NAME = re.compile(
    "(?P<batch>#)x(?P<block>#)_i(?P<inp>#)w(?P<wgt>#)a(?P<acc>#)"
    "_(?P<u>#)_(?P<i>#)_(?P<w>#)_(?P<a>#)".replace("#", "[0-9]{1,9}")
    + r"(?P<caps>(?:\+[a-z0-9_]+)*)"
)
_NAME_FORM = "BATCHxBLOCK_iINPwWGTaACC_UOP_INP_WGT_ACC, such as 1x16_i8w8a32_15_15_18_17"


def _log2_of(value: int, what: str, name: str) -> int:
    if value < 1 or value & (value - 1):
        raise ConfigError(f"configuration '{name}': {what} must be a power of two, not {value}")
    return value.bit_length() - 1


def _as_capabilities(values: Iterable[str | Capability], where: str) -> frozenset[Capability]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ConfigError(f"{where}: capabilities must be a list of names, not {values!r}")
    found = set()
    for value in values:
        try:
            found.add(Capability(value))
        except ValueError:
            known = ", ".join(str(c) for c in Capability)
            raise ConfigError(
                f"{where}: capability must be one of {known}, not {value!r}"
            ) from None
    return frozenset(found)


@dataclasses.dataclass(frozen=True)
class HwConfig:
    """One hardware configuration. Immutable, hashable, checked at construction.

    Parameters are base-two logarithms: of an element's width in bits (`log_inp_width`,
    `log_wgt_width`, `log_acc_width`), of the GEMM core's rows and lanes (`log_batch`,
    `log_block`) and of the SRAM sizes in bytes (`log_*_buff_size`). The defaults are those of
    every published board.

    Raises
    ------
    ConfigError
        The numbers cannot be built; the message gives the reason.
    """

    log_inp_width: int = 3
    log_wgt_width: int = 3
    log_acc_width: int = 5
    log_batch: int = 0
    log_block: int = 4
    log_uop_buff_size: int = 15
    log_inp_buff_size: int = 15
    log_wgt_buff_size: int = 18
    log_acc_buff_size: int = 17
    capabilities: frozenset[Capability] = frozenset()

    def __post_init__(self) -> None:
        for attribute, (key, low, high, reason) in _PRIMARY.items():
            value = getattr(self, attribute)
            if isinstance(value, bool) or not isinstance(value, int):
                raise ConfigError(f"configuration: {key} must be an integer, not {value!r}")
            if not low <= value <= high:
                raise ConfigError(
                    f"configuration: {key} must be in {low}..{high} ({reason}), not {value}"
                )
        object.__setattr__(
            self, "capabilities", _as_capabilities(self.capabilities, "configuration")
        )
        self._check_widths()
        self._check_buffers()
        self._check_formats()

    def _refuse(self, what: str) -> None:
        raise ConfigError(f"configuration {self.name}: {what}")

    def _check_widths(self) -> None:
        for key, value in (("input", self.log_inp_width), ("weight", self.log_wgt_width)):
            if value > self.log_acc_width:
                self._refuse(
                    f"{key} width must be at most the accumulator's {self.acc_width} bits, "
                    f"not {1 << value}"
                )

    def _check_buffers(self) -> None:
        for kind, log_size, elem_bits in (
            ("micro-op", self.log_uop_buff_size, _UOP_BITS),
            ("input", self.log_inp_buff_size, self.batch * self.block * self.inp_width),
            ("weight", self.log_wgt_buff_size, self.block * self.block * self.wgt_width),
            ("accumulator", self.log_acc_buff_size, self.batch * self.block * self.acc_width),
        ):
            if elem_bits < 8:
                self._refuse(
                    f"one {kind} element must be at least one byte, not {elem_bits} bits; "
                    "use a larger block, batch or width"
                )
            if (1 << log_size) * 8 < elem_bits:
                self._refuse(
                    f"the {kind} buffer must hold at least one element of {elem_bits // 8} bytes, "
                    f"not {1 << log_size} bytes"
                )
        if self.batch * self.block * self.out_width < 8:
            self._refuse("one output element must be at least one byte")

    def _check_formats(self) -> None:
        for kind, log_depth in (
            ("micro-op", self.log_uop_depth),
            ("input", self.log_inp_depth),
            ("weight", self.log_wgt_depth),
            ("accumulator", self.log_acc_depth),
        ):
            if log_depth > _SRAM_BASE_BITS:
                self._refuse(
                    f"the {kind} buffer must hold at most {1 << _SRAM_BASE_BITS} elements "
                    f"(sram_base has {_SRAM_BASE_BITS} bits), not {1 << log_depth}"
                )
        uop_bits = self.uop_dst_bits + self.uop_src_bits + self.uop_wgt_bits
        if uop_bits > _UOP_BITS:
            self._refuse(
                f"a micro-op must fit {_UOP_BITS} bits, not {uop_bits} "
                f"(accumulator index {self.uop_dst_bits}, source index {self.uop_src_bits}, "
                f"weight index {self.uop_wgt_bits}); make a buffer smaller"
            )
        word0 = _GEMM_WORD0_FIXED_BITS + 2 * self.log_uop_depth
        if word0 > _WORD_BITS:
            self._refuse(
                f"word 0 of GEMM and ALU must fit {_WORD_BITS} bits, not {word0}; "
                "make the micro-op buffer smaller"
            )
        gemm = 2 * (self.log_acc_depth + self.log_inp_depth + self.log_wgt_depth)
        if gemm > _WORD_BITS:  # implied by the micro-op today; kept for the reader and the reason
            self._refuse(f"word 1 of GEMM must fit {_WORD_BITS} bits, not {gemm}")
        alu = 4 * self.log_acc_depth + _ALU_WORD1_FIXED_BITS
        if alu > _WORD_BITS:
            self._refuse(
                f"word 1 of ALU must fit {_WORD_BITS} bits, not {alu}; "
                "make the accumulator buffer smaller"
            )

    # ---- names and files -----------------------------------------------------------------

    @classmethod
    def from_name(cls, name: str) -> HwConfig:
        """Read a name such as `1x16_i8w8a32_15_15_18_17`, optionally with `+capability` suffixes.

        Raises
        ------
        ConfigError
            The name has another form, or names an impossible configuration.
        """
        match = _NAME.fullmatch(name) if isinstance(name, str) else None
        if match is None:
            raise ConfigError(f"configuration name must read {_NAME_FORM}, not {name!r}")
        number = {key: int(text) for key, text in match.groupdict().items() if key != "caps"}
        caps = [word for word in match["caps"].split("+") if word]
        return cls(
            log_inp_width=_log2_of(number["inp"], "input width", name),
            log_wgt_width=_log2_of(number["wgt"], "weight width", name),
            log_acc_width=_log2_of(number["acc"], "accumulator width", name),
            log_batch=_log2_of(number["batch"], "batch", name),
            log_block=_log2_of(number["block"], "block", name),
            log_uop_buff_size=number["u"],
            log_inp_buff_size=number["i"],
            log_wgt_buff_size=number["w"],
            log_acc_buff_size=number["a"],
            capabilities=_as_capabilities(caps, f"configuration '{name}'"),
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> HwConfig:
        """Read the keys of the original `vta_config.json`, plus an optional `CAPABILITIES` list.

        A key that is missing takes its default; `TARGET` and `HW_*` are ignored; derived keys
        (`LOG_OUT_WIDTH`, `LOG_OUT_BUFF_SIZE`, and what `vta config --json` adds) must agree with
        what follows from the others.

        Raises
        ------
        ConfigError
            A key is unknown or a value is impossible.
        """
        if not isinstance(values, Mapping):
            raise ConfigError(f"configuration must be a JSON object, not {type(values).__name__}")
        by_key = {key: attribute for attribute, (key, *_) in _PRIMARY.items()}
        known = {*by_key, *_FOREIGN_KEYS, *_DERIVED_KEYS, _CAPABILITIES_KEY}
        unknown = set(values) - known
        if unknown:
            raise ConfigError(
                f"configuration: key must be one of {', '.join(by_key)}, "
                f"not {min(map(str, unknown))!r}"
            )
        arguments = {by_key[key]: values[key] for key in by_key if key in values}
        if _CAPABILITIES_KEY in values:
            arguments["capabilities"] = values[_CAPABILITIES_KEY]
        config = cls(**arguments)
        config._check_derived(values)
        return config

    def _check_derived(self, values: Mapping[str, Any]) -> None:
        derived: dict[str, Any] = {
            "LOG_OUT_WIDTH": self.log_out_width,
            "LOG_OUT_BUFF_SIZE": self.log_out_buff_size,
            "NAME": self.name,
            "FINGERPRINT": self.fingerprint,
        }
        given = {key: value for key, value in values.items() if key in derived}
        more = values.get("DERIVED", {})
        if not isinstance(more, Mapping):
            self._refuse(f"DERIVED must be an object, not {more!r}")
        for name, value in more.items():
            derived[f"DERIVED.{name}"] = getattr(self, str(name), None)
            given[f"DERIVED.{name}"] = value
        for key, value in given.items():
            if value != derived[key]:
                self._refuse(
                    f"{key} must be {derived[key]} (it follows from the others), not {value!r}"
                )

    @classmethod
    def from_json(cls, text: str) -> HwConfig:
        """Read JSON text with the keys of `from_dict`.

        Raises
        ------
        ConfigError
            The text is not JSON, or `from_dict` refuses it.
        """
        try:
            values = json.loads(text)
        except (ValueError, TypeError, RecursionError) as error:
            raise ConfigError(f"configuration must be JSON: {error}") from None
        return cls.from_dict(values)

    def to_dict(self) -> dict[str, Any]:
        """The primary parameters under the original `vta_config.json` keys, and capabilities."""
        values: dict[str, Any] = {
            key: getattr(self, attribute) for attribute, (key, *_) in _PRIMARY.items()
        }
        values[_CAPABILITIES_KEY] = sorted(str(c) for c in self.capabilities)
        return values

    def to_json(self) -> str:
        """`to_dict` as JSON text, one key a line."""
        return json.dumps(self.to_dict(), indent=2) + "\n"

    @functools.cached_property
    def base_name(self) -> str:
        """The name without capabilities, as published bitstreams carry it."""
        return (
            f"{self.batch}x{self.block}_i{self.inp_width}w{self.wgt_width}a{self.acc_width}"
            f"_{self.log_uop_buff_size}_{self.log_inp_buff_size}"
            f"_{self.log_wgt_buff_size}_{self.log_acc_buff_size}"
        )

    @functools.cached_property
    def name(self) -> str:
        """The full name; `from_name` reads it back to an equal configuration."""
        return "+".join([self.base_name, *sorted(str(c) for c in self.capabilities)])

    @functools.cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits of the SHA-256 of canonical JSON: they tell configurations apart."""
        canonical = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def has(self, capability: Capability) -> bool:
        """Whether the build offers `capability`."""
        return capability in self.capabilities

    def with_capabilities(self, *capabilities: str | Capability) -> HwConfig:
        """The same numbers with exactly these capabilities.

        Raises
        ------
        ConfigError
            There is no such capability.
        """
        return dataclasses.replace(
            self, capabilities=_as_capabilities(capabilities, f"configuration {self.name}")
        )

    def __str__(self) -> str:
        return self.name

    # ---- element shapes ------------------------------------------------------------------

    @property
    def batch(self) -> int:
        """Rows of one input, accumulator or output element."""
        return 1 << self.log_batch

    @property
    def block(self) -> int:
        """Lanes: both input channels and output channels of one GEMM step."""
        return 1 << self.log_block

    @property
    def inp_width(self) -> int:
        """Bits of one input value."""
        return 1 << self.log_inp_width

    @property
    def wgt_width(self) -> int:
        """Bits of one weight value."""
        return 1 << self.log_wgt_width

    @property
    def acc_width(self) -> int:
        """Bits of one accumulator value."""
        return 1 << self.log_acc_width

    @property
    def log_out_width(self) -> int:
        """Base-two logarithm of an output value's bits: the input's."""
        return self.log_inp_width

    @property
    def out_width(self) -> int:
        """Bits of one output value."""
        return 1 << self.log_out_width

    @property
    def uop_bytes(self) -> int:
        """Bytes of one micro-op."""
        return UOP_BYTES

    @property
    def inp_bytes(self) -> int:
        """Bytes of one input element (batch x block values)."""
        return self.batch * self.block * self.inp_width // 8

    @property
    def wgt_bytes(self) -> int:
        """Bytes of one weight element (block x block values, row = output channel)."""
        return self.block * self.block * self.wgt_width // 8

    @property
    def acc_bytes(self) -> int:
        """Bytes of one accumulator element (batch x block values)."""
        return self.batch * self.block * self.acc_width // 8

    @property
    def out_bytes(self) -> int:
        """Bytes of one output element (batch x block values)."""
        return self.batch * self.block * self.out_width // 8

    # ---- buffers -------------------------------------------------------------------------

    @property
    def log_out_buff_size(self) -> int:
        """Base-two logarithm of the output buffer's bytes; as deep as the accumulator."""
        return self.log_acc_buff_size + self.log_out_width - self.log_acc_width

    @property
    def uop_buff_bytes(self) -> int:
        """Bytes of the micro-op buffer."""
        return 1 << self.log_uop_buff_size

    @property
    def inp_buff_bytes(self) -> int:
        """Bytes of the input buffer."""
        return 1 << self.log_inp_buff_size

    @property
    def wgt_buff_bytes(self) -> int:
        """Bytes of the weight buffer."""
        return 1 << self.log_wgt_buff_size

    @property
    def acc_buff_bytes(self) -> int:
        """Bytes of the accumulator buffer."""
        return 1 << self.log_acc_buff_size

    @property
    def out_buff_bytes(self) -> int:
        """Bytes of the output buffer."""
        return 1 << self.log_out_buff_size

    @property
    def log_uop_depth(self) -> int:
        """LU: base-two logarithm of the micro-op buffer's depth."""
        return self.log_uop_buff_size - (UOP_BYTES.bit_length() - 1)

    @property
    def log_inp_depth(self) -> int:
        """LI: base-two logarithm of the input buffer's depth."""
        return self.log_inp_buff_size - self.log_batch - self.log_block - self.log_inp_width + 3

    @property
    def log_wgt_depth(self) -> int:
        """LW: base-two logarithm of the weight buffer's depth."""
        return self.log_wgt_buff_size - 2 * self.log_block - self.log_wgt_width + 3

    @property
    def log_acc_depth(self) -> int:
        """LA: base-two logarithm of the accumulator's (and the output buffer's) depth."""
        return self.log_acc_buff_size - self.log_batch - self.log_block - self.log_acc_width + 3

    @property
    def uop_depth(self) -> int:
        """Micro-ops in the micro-op buffer."""
        return 1 << self.log_uop_depth

    @property
    def inp_depth(self) -> int:
        """Elements in the input buffer."""
        return 1 << self.log_inp_depth

    @property
    def wgt_depth(self) -> int:
        """Elements in the weight buffer."""
        return 1 << self.log_wgt_depth

    @property
    def acc_depth(self) -> int:
        """Elements in the accumulator."""
        return 1 << self.log_acc_depth

    @property
    def out_depth(self) -> int:
        """Elements in the output buffer: as many as in the accumulator."""
        return self.acc_depth

    # ---- micro-op fields -----------------------------------------------------------------

    @property
    def uop_dst_bits(self) -> int:
        """Width of a micro-op's `dst_idx`."""
        return self.log_acc_depth

    @property
    def uop_src_bits(self) -> int:
        """Width of a micro-op's `src_idx`: it names an input (GEMM) or accumulator (ALU)."""
        return max(self.log_acc_depth, self.log_inp_depth)

    @property
    def uop_wgt_bits(self) -> int:
        """Width of a micro-op's `wgt_idx`."""
        return self.log_wgt_depth

    @property
    def macs_per_cycle(self) -> int:
        """Multiply-accumulates of the GEMM core in one cycle."""
        return self.batch * self.block * self.block
