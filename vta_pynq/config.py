"""HwConfig: the primary numbers of one VTA build, and every number that follows from them.

The facts come from the instruction-set specification (docs/isa.md, "Configuration"): only
base-two logarithms are configured, all sizes, depths and field widths are derived.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from vta_pynq.config_rules import UOP_BYTES, refuse_impossible
from vta_pynq.config_text import (
    CAPABILITIES_KEY,
    PRIMARY,
    Capability,
    as_capabilities,
    check_derived,
    parse_keys,
    parse_name,
)
from vta_pynq.errors import ConfigError

__all__ = ["UOP_BYTES", "Capability", "HwConfig"]


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
        for attribute, (key, low, high, reason) in PRIMARY.items():
            value = getattr(self, attribute)
            if isinstance(value, bool) or not isinstance(value, int):
                raise ConfigError(f"configuration: {key} must be an integer, not {value!r}")
            if not low <= value <= high:
                raise ConfigError(
                    f"configuration: {key} must be in {low}..{high} ({reason}), not {value}"
                )
        object.__setattr__(
            self, "capabilities", as_capabilities(self.capabilities, "configuration")
        )
        refuse_impossible(self)

    # ---- names and files -----------------------------------------------------------------

    @classmethod
    def from_name(cls, name: str) -> HwConfig:
        """Read a name such as `1x16_i8w8a32_15_15_18_17`, optionally with `+capability` suffixes.

        Raises
        ------
        ConfigError
            The name has another form, or names an impossible configuration.
        """
        return cls(**parse_name(name))

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
        config = cls(**parse_keys(values))
        check_derived(config, values)
        return config

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
            key: getattr(self, attribute) for attribute, (key, *_) in PRIMARY.items()
        }
        values[CAPABILITIES_KEY] = sorted(str(c) for c in self.capabilities)
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
        """16 hexadecimal digits (SHA-256 of canonical JSON) that tell configurations apart."""
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
            self, capabilities=as_capabilities(capabilities, f"configuration {self.name}")
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
