"""Registers by their names: what the drivers of all blocks share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pynq import DefaultIP

from vta_pynq.errors import DeviceError
from vta_pynq.isa.registers import DESIGNS, REGISTER_BYTES, IpBlock

__all__ = ["RegisterDriver"]

_VALUE_LIMIT = 1 << (8 * REGISTER_BYTES)


def _block_of(vlnv: str) -> IpBlock:
    for design in DESIGNS.values():
        block = design.block_of_vlnv(vlnv)
        if block is not None:
            return block
    raise DeviceError(
        f"driver: the block's VLNV must be one of the register table's, not {vlnv!r}; "
        "load an overlay of this project"
    )


class RegisterDriver(DefaultIP):  # type: ignore[misc]  # pynq has no types
    """A `pynq.DefaultIP` whose registers have the names of the register table.

    Attributes
    ----------
    block
        The block's row in the register table.
    """

    def __init__(self, description: Mapping[str, Any]) -> None:
        super().__init__(description=description)
        self.block = _block_of(str(description["type"]))
        self._offsets = {register.name: register.offset for register in self.block.registers}

    def get(self, name: str) -> int:
        """Read the register `name`; the exact unsigned value."""
        return int(self.read(self._offsets[name]))

    def set(self, name: str, value: int) -> None:
        """Write the register `name`.

        Raises
        ------
        DeviceError
            The value does not fit the register.
        """
        if not 0 <= value < _VALUE_LIMIT:
            raise DeviceError(
                f"{self.block.name}.{name}: value must be in 0..{_VALUE_LIMIT - 1}, not {value}; "
                "use buffers below 4 GiB"
            )
        # pynq insists on the exact type int and refuses NumPy's integers.
        self.write(self._offsets[name], int(value))

    @property
    def interrupt_output(self) -> Any:
        """PYNQ's `Interrupt` of the block; None where the design leaves it unconnected."""
        return getattr(self, self.block.interrupt, None)
