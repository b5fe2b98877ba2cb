"""A hardware configuration as table, JSON, C macros or Tcl variables; and from a name or file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from vta_pynq.config import Capability, HwConfig
from vta_pynq.errors import ConfigError

__all__ = ["EXPORTS", "derived_numbers", "load_config", "to_c", "to_json", "to_table", "to_tcl"]

_PREFIX = "VTA_"


def load_config(name_or_path: str | Path) -> HwConfig:
    """Read a configuration from its name, or from a JSON file with `vta_config.json` keys.

    Raises
    ------
    ConfigError
        The text is neither a legal name nor a readable file, or the configuration is impossible.
    """
    path = Path(name_or_path)
    if path.suffix == ".json" or path.is_file():
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise ConfigError(f"configuration file {path} must be readable: {reason}") from None
        try:
            return HwConfig.from_json(text)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from None
    return HwConfig.from_name(str(name_or_path))


def derived_numbers(config: HwConfig) -> dict[str, tuple[int, str]]:
    """Every number that follows from the primary ones: its value and what it means.

    The order is that of `HwConfig`; the names are its property names.
    """
    return {
        name: (getattr(config, name), (member.__doc__ or "").rstrip("."))
        for name, member in vars(HwConfig).items()
        if isinstance(member, property)
    }


def _primary(config: HwConfig) -> dict[str, int]:
    return {key: value for key, value in config.to_dict().items() if key.startswith("LOG_")}


def _numbers(config: HwConfig) -> dict[str, int]:
    """Primary and derived numbers under the names that C and Tcl use."""
    derived = {name.upper(): value for name, (value, _) in derived_numbers(config).items()}
    return {_PREFIX + name: value for name, value in {**_primary(config), **derived}.items()}


def to_table(config: HwConfig) -> str:
    """A table for people: name, fingerprint, primary and derived numbers with their meaning."""
    caps = ", ".join(sorted(map(str, config.capabilities))) or "none"
    lines = [
        f"name          {config.name}",
        f"fingerprint   {config.fingerprint}",
        f"capabilities  {caps}",
        "",
    ]
    lines += [f"{key:<20}{value:>12}" for key, value in _primary(config).items()]
    lines.append("")
    for name, (value, meaning) in derived_numbers(config).items():
        lines.append(f"{name:<20}{value:>12}  {meaning}")
    return "\n".join(lines) + "\n"


def to_json(config: HwConfig) -> str:
    """JSON with the keys of `HwConfig.to_dict`, and name, fingerprint and derived numbers.

    `HwConfig.from_json` reads it back and refuses it when the additions do not fit.
    """
    derived = {name: value for name, (value, _) in derived_numbers(config).items()}
    additions = {"NAME": config.name, "FINGERPRINT": config.fingerprint, "DERIVED": derived}
    return json.dumps({**config.to_dict(), **additions}, indent=2) + "\n"


def to_c(config: HwConfig) -> str:
    """C macros; the `VTA_LOG_*` ones are what the generated instruction-set headers ask for."""
    lines = [
        f"/* VTA configuration {config.name} */",
        "#pragma once",
        "",
        f'#define VTA_CONFIG_NAME "{config.name}"',
        f"#define VTA_CONFIG_FINGERPRINT 0x{config.fingerprint}ULL",
        "",
    ]
    lines += [f"#define {name} {value}" for name, value in _numbers(config).items()]
    lines.append("")
    for capability in Capability:
        lines.append(f"#define VTA_HAS_{capability.name} {int(config.has(capability))}")
    return "\n".join(lines) + "\n"


def to_tcl(config: HwConfig) -> str:
    """Tcl variables of the same names as the C macros."""
    lines = [
        f"# VTA configuration {config.name}",
        f"set VTA_CONFIG_NAME {{{config.name}}}",
        f"set VTA_CONFIG_FINGERPRINT {config.fingerprint}",
    ]
    lines += [f"set {name} {value}" for name, value in _numbers(config).items()]
    for capability in Capability:
        lines.append(f"set VTA_HAS_{capability.name} {int(config.has(capability))}")
    return "\n".join(lines) + "\n"


EXPORTS: dict[str, Callable[[HwConfig], str]] = {
    "table": to_table,
    "json": to_json,
    "c": to_c,
    "tcl": to_tcl,
}
"""The exports by the name of their command-line option."""
