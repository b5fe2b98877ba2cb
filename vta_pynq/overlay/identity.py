"""Which accelerator a bitstream holds: design, address map, configuration, profile.

The sources, in this order: the identity parameters in the `.hwh` file (ours carry them), a variant
file `<stem>.json` next to the bitstream, the bitstream's name. All that speak must agree.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from vta_pynq.config import HwConfig
from vta_pynq.errors import ConfigError, IdentityError
from vta_pynq.hwh import IDENTITY_PARAMETERS
from vta_pynq.isa.control_block import CONTROL, CONTROL_VERSION
from vta_pynq.isa.registers import DESIGNS, Design
from vta_pynq.overlay.descriptions import find_variant, read_variant, variants
from vta_pynq.timing.profiles import DEFAULT_PROFILE, HwProfile, get_profile

if TYPE_CHECKING:
    from vta_pynq.drivers.control import HardwareIdentity

__all__ = ["Identity", "check_hardware", "read_identity"]

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Identity:
    """What is known about a bitstream; `variant` is empty for one that `overlays/` lacks."""

    design: Design
    config: HwConfig
    profile: HwProfile
    variant: str = ""

    def __str__(self) -> str:
        return f"{self.variant or self.design.name} ({self.config.name})"


def _design_of(ip_dict: Mapping[str, Any]) -> Design | None:
    """The design whose blocks are all there; None where none is."""
    types = [str(entry.get("type", "")) for entry in ip_dict.values()]
    for design in DESIGNS.values():
        found = {block.name for vlnv in types if (block := design.block_of_vlnv(vlnv))}
        if len(found) == len(design.blocks):
            return design
    return None


def _parameters(ip_dict: Mapping[str, Any]) -> dict[str, str]:
    """The identity parameters of the `.hwh` file; empty where there are none."""
    for entry in ip_dict.values():
        values = entry.get("parameters") or {}
        if IDENTITY_PARAMETERS["config"] in values:
            return {
                name: str(values[key]) for name, key in IDENTITY_PARAMETERS.items() if key in values
            }
    return {}


def _config_from_name(stem: str) -> HwConfig | None:
    known = find_variant(stem)
    if known is not None:
        return known.config
    try:
        return HwConfig.from_name(stem)
    except ConfigError:
        return None


def _of_hwh(bitfile: Path, find: Callable[[str], T], name: str) -> T:
    """What a name in the `.hwh` file means."""
    try:
        return find(name)
    except ConfigError as error:
        raise ConfigError(f"{bitfile}: its .hwh file: {error}; restore the file") from None


def _check_fingerprint(bitfile: Path, config: HwConfig, stated: str | None) -> None:
    if stated is not None and stated != config.fingerprint:
        raise IdentityError(
            f"{bitfile}: fingerprint must be {config.fingerprint} ({config.name}) in the .hwh "
            f"file, not {stated}; restore the file"
        )


def check_hardware(identity: Identity, hardware: HardwareIdentity) -> None:
    """Compare the identity of an overlay with what its hardware says about itself.

    Raises
    ------
    IdentityError
        They are not the same; the message names both.
    """
    if not hardware.is_ours:
        major, minor = hardware.version
        raise IdentityError(
            f"overlay {identity}: the control block must answer with magic "
            f"{CONTROL.register('MAGIC').reset:#010x} and version {CONTROL_VERSION[0]}.x, not "
            f"{hardware.magic:#010x} and {major}.{minor}; the bitstream or its address map is "
            "another one: load the .hwh file that was built with it"
        )
    if hardware.fingerprint != identity.config.fingerprint:
        raise IdentityError(
            f"overlay {identity}: the hardware must have been built for {identity.config.name} "
            f"(fingerprint {identity.config.fingerprint}), not for "
            f"{_name_of(hardware.fingerprint)} (fingerprint {hardware.fingerprint}); load the "
            "files that belong to this bitstream, or build it again"
        )


def _name_of(fingerprint: str) -> str:
    """The configuration with a fingerprint, where a variant has it."""
    for variant in variants():
        if variant.config.fingerprint == fingerprint:
            return variant.config.name
    return "a configuration of no known variant"


def read_identity(bitfile: Path, ip_dict: Mapping[str, Any]) -> Identity | None:
    """The identity of the bitstream at `bitfile`; None where it holds no accelerator of ours.

    `ip_dict` is PYNQ's, of the `.hwh` file next to it.

    Raises
    ------
    ConfigError
        It holds an accelerator, but nothing says which configuration, or a name is unknown.
    IdentityError
        Two sources contradict each other.
    """
    design = _design_of(ip_dict)
    if design is None:
        return None
    parameters = _parameters(ip_dict)
    sources: dict[str, HwConfig] = {}
    profile = DEFAULT_PROFILE
    variant = parameters.get("variant", "")
    if "config" in parameters:
        sources["its .hwh file"] = _of_hwh(bitfile, HwConfig.from_name, parameters["config"])
        profile = _of_hwh(bitfile, get_profile, parameters.get("profile", profile)).name
        _check_fingerprint(bitfile, sources["its .hwh file"], parameters.get("fingerprint"))
    beside = bitfile.with_suffix(".json")
    if beside.is_file():
        described = read_variant(beside)
        sources[beside.name] = described.config
        profile, variant = described.profile.name, variant or described.name
    named = _config_from_name(bitfile.stem)
    if named is not None:
        sources["its name"] = named
    if not sources:
        raise ConfigError(
            f"{bitfile}: the configuration must be given by the .hwh file, by {beside.name} next "
            "to it or by the name; name it like 1x16_i8w8a32_15_15_18_17.bit"
        )
    first, config = next(iter(sources.items()))
    for source, other in sources.items():
        if other.base_name != config.base_name:
            raise IdentityError(
                f"{bitfile}: configuration must be the same in {first} ({config.name}) and "
                f"{source} ({other.name}); restore the files or rename them"
            )
    return Identity(design, config, get_profile(profile), variant)
