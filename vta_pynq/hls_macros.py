"""The macros that make a hardware configuration of the HLS C++: for csim, test benches and Vitis.

`hls/src/config.hpp` gives none of these a default, so a build that leaves one out does not
compile; what it does give a default is no property of the configuration.
"""

from __future__ import annotations

from vta_pynq.config import Capability, HwConfig

__all__ = ["OPERATIONS", "compiler_options", "hls_macros", "with_operations"]

_PREFIX = "VTA_"

OPERATIONS = {
    Capability.ALU_MUL: "ALU_MUL",
    Capability.ALU_REQUANT: "ALU_REQUANT",
    Capability.LOAD_ACC8: "LOAD_ACC8",
}
"""The capabilities that switch a part of the C++ on, and their macros without prefix. The others
are the business of the control block and the block design."""


def hls_macros(config: HwConfig) -> dict[str, int]:
    """Every macro of a build, in a fixed order: the nine primary numbers, then 0 or 1 for each of
    `OPERATIONS`.
    """
    numbers = {key: value for key, value in config.to_dict().items() if isinstance(value, int)}
    switches = {macro: int(config.has(capability)) for capability, macro in OPERATIONS.items()}
    return {_PREFIX + name: value for name, value in {**numbers, **switches}.items()}


def compiler_options(config: HwConfig) -> list[str]:
    """`hls_macros` as options of a compiler: `-DNAME=VALUE`."""
    return [f"-D{name}={value}" for name, value in hls_macros(config).items()]


def with_operations(config: HwConfig) -> HwConfig:
    """A configuration whose build also has MUL and LOAD ACC_8BIT: they add to the published
    instruction set nothing that it has not encoded, so a published configuration runs on it.
    """
    return config.with_capabilities(*config.capabilities, Capability.ALU_MUL, Capability.LOAD_ACC8)
