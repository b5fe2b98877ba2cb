"""A configuration's names, keys and capabilities as text: what `HwConfig` reads and writes."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from vta_pynq.config_rules import refusal
from vta_pynq.errors import ConfigError

if TYPE_CHECKING:
    from vta_pynq.config import HwConfig

__all__ = [
    "CAPABILITIES_KEY",
    "PRIMARY",
    "Capability",
    "as_capabilities",
    "check_derived",
    "parse_keys",
    "parse_name",
]


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


PRIMARY = {
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
CAPABILITIES_KEY = "CAPABILITIES"

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


def as_capabilities(values: Iterable[str | Capability], where: str) -> frozenset[Capability]:
    """Capabilities from their names; `where` begins the message of a `ConfigError`."""
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


def parse_name(name: str) -> dict[str, Any]:
    """The arguments of `HwConfig` that a name stands for.

    Raises
    ------
    ConfigError
        The name has another form, or a number in it is not a power of two.
    """
    match = _NAME.fullmatch(name) if isinstance(name, str) else None
    if match is None:
        raise ConfigError(f"configuration name must read {_NAME_FORM}, not {name!r}")
    number = {key: int(text) for key, text in match.groupdict().items() if key != "caps"}
    caps = [word for word in match["caps"].split("+") if word]
    return {
        "log_inp_width": _log2_of(number["inp"], "input width", name),
        "log_wgt_width": _log2_of(number["wgt"], "weight width", name),
        "log_acc_width": _log2_of(number["acc"], "accumulator width", name),
        "log_batch": _log2_of(number["batch"], "batch", name),
        "log_block": _log2_of(number["block"], "block", name),
        "log_uop_buff_size": number["u"],
        "log_inp_buff_size": number["i"],
        "log_wgt_buff_size": number["w"],
        "log_acc_buff_size": number["a"],
        "capabilities": as_capabilities(caps, f"configuration '{name}'"),
    }


def parse_keys(values: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `HwConfig` under the keys of the original `vta_config.json`.

    Raises
    ------
    ConfigError
        `values` is not a mapping, or a key is unknown.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"configuration must be a JSON object, not {type(values).__name__}")
    by_key = {key: attribute for attribute, (key, *_) in PRIMARY.items()}
    known = {*by_key, *_FOREIGN_KEYS, *_DERIVED_KEYS, CAPABILITIES_KEY}
    unknown = set(values) - known
    if unknown:
        raise ConfigError(
            f"configuration: key must be one of {', '.join(by_key)}, not {min(map(str, unknown))!r}"
        )
    arguments = {by_key[key]: values[key] for key in by_key if key in values}
    if CAPABILITIES_KEY in values:
        arguments["capabilities"] = values[CAPABILITIES_KEY]
    return arguments


def check_derived(config: HwConfig, values: Mapping[str, Any]) -> None:
    """Refuse values under derived keys that do not follow from `config`."""
    derived: dict[str, Any] = {
        "LOG_OUT_WIDTH": config.log_out_width,
        "LOG_OUT_BUFF_SIZE": config.log_out_buff_size,
        "NAME": config.name,
        "FINGERPRINT": config.fingerprint,
    }
    given = {key: value for key, value in values.items() if key in derived}
    more = values.get("DERIVED", {})
    if not isinstance(more, Mapping):
        raise refusal(config, f"DERIVED must be an object, not {more!r}")
    for name, value in more.items():
        derived[f"DERIVED.{name}"] = _derived_number(config, name)
        given[f"DERIVED.{name}"] = value
    for key, value in given.items():
        if value != derived[key]:
            raise refusal(
                config, f"{key} must be {derived[key]} (it follows from the others), not {value!r}"
            )


def _derived_number(config: HwConfig, name: object) -> int | None:
    member = getattr(type(config), name, None) if isinstance(name, str) else None
    return getattr(config, str(name)) if isinstance(member, property) else None
