"""Program: everything that one compiled model is, in memory."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from os import PathLike
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from vta_pynq.config import HwConfig
from vta_pynq.errors import ProgramError
from vta_pynq.program.access import Accesses, find_accesses
from vta_pynq.program.check import check_program
from vta_pynq.program.memory import Arena, Tensor, frozen_array
from vta_pynq.program.rules import at, shown
from vta_pynq.program.steps import LayerReport, Relocations, Step, VtaStep, frozen_metadata
from vta_pynq.stream import InstructionStream, StreamLabel
from vta_pynq.timing.profiles import DEFAULT_PROFILE

__all__ = ["FORMAT_VERSION", "Program", "ProgramSource"]

FORMAT_VERSION = (1, 0)
"""Version of the file format that this package writes: major, minor."""

ProgramSource = str | PathLike[str] | bytes | bytearray | memoryview | BinaryIO
"""What `Program.load` reads: a path, the file's bytes, or an open binary file."""


@dataclasses.dataclass(frozen=True, eq=False)
class Program:
    """A compiled model: steps, instructions, memory plan, tensors. Immutable, always valid.

    `words` (uint64, shape (n, 2)) holds the instructions of all `VtaStep`s one after another,
    unlinked: `dram_base` counts from the start of the arena that the instruction's relocation
    names. `inputs` and `outputs` are tensor names in the model's order. `labels` name ranges of
    instructions, `layers` and `metadata` are for reports. `source` says where the program was
    read from; it is neither saved nor compared.

    Two programs are equal when their content is: same manifest, same sections.

    Raises
    ------
    ProgramError
        The parts do not fit together; the message names the place.
    """

    model: str
    config: HwConfig
    words: npt.NDArray[np.uint64] = dataclasses.field(repr=False)
    steps: tuple[Step, ...]
    arenas: tuple[Arena, ...]
    tensors: tuple[Tensor, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    relocations: Relocations = dataclasses.field(default_factory=Relocations.none, repr=False)
    profile: str = DEFAULT_PROFILE
    labels: tuple[StreamLabel, ...] = dataclasses.field(default=(), repr=False)
    layers: tuple[LayerReport, ...] = dataclasses.field(default=(), repr=False)
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    version: tuple[int, int] = FORMAT_VERSION
    source: str = ""

    def __post_init__(self) -> None:
        for field in ("steps", "arenas", "tensors", "inputs", "outputs", "labels", "layers"):
            object.__setattr__(self, field, tuple(getattr(self, field)))
        # Sections of a file lie at odd addresses, which C code must not see.
        words = np.require(self.words, np.dtype("<u8"), ["C", "A"])
        if words.ndim != 2 or words.shape[1] != 2:
            raise ProgramError(f"program: words must have shape (n, 2), not {list(words.shape)}")
        object.__setattr__(self, "words", frozen_array(words))
        object.__setattr__(self, "metadata", frozen_metadata(self.metadata))
        with at(f"program {shown(self.model)}"):
            check_program(self)

    # ---- lookups -------------------------------------------------------------------------

    @functools.cached_property
    def tensor_by_name(self) -> Mapping[str, Tensor]:
        """Every tensor by its name."""
        return {tensor.name: tensor for tensor in self.tensors}

    @functools.cached_property
    def arena_by_name(self) -> Mapping[str, Arena]:
        """Every arena by its name."""
        return {arena.name: arena for arena in self.arenas}

    @functools.cached_property
    def _tensors_by_arena(self) -> dict[str, list[Tensor]]:
        found: dict[str, list[Tensor]] = {}
        for tensor in self.tensors:
            found.setdefault(tensor.arena, []).append(tensor)
        return found

    def tensors_in(self, arena: str) -> tuple[Tensor, ...]:
        """The tensors of an arena, aliases included."""
        return tuple(self._tensors_by_arena.get(arena, ()))

    def root(self, tensor: Tensor) -> Tensor:
        """The tensor whose memory this one is: itself, or what it is an alias of."""
        return tensor if tensor.alias_of is None else self.tensor(tensor.alias_of)

    def tensor(self, name: str) -> Tensor:
        """The tensor of that name; `KeyError` where there is none."""
        return self.tensor_by_name[name]

    def arena(self, name: str) -> Arena:
        """The arena of that name; `KeyError` where there is none."""
        return self.arena_by_name[name]

    @property
    def input_tensors(self) -> tuple[Tensor, ...]:
        """The model's inputs in order."""
        return tuple(map(self.tensor, self.inputs))

    @property
    def output_tensors(self) -> tuple[Tensor, ...]:
        """The model's outputs in order."""
        return tuple(map(self.tensor, self.outputs))

    @property
    def vta_steps(self) -> tuple[VtaStep, ...]:
        """The submissions in order."""
        return tuple(step for step in self.steps if isinstance(step, VtaStep))

    @functools.cached_property
    def device_arenas(self) -> tuple[Arena, ...]:
        """The arenas that instructions address: these need contiguous memory."""
        used = np.unique(self.relocations.arena)
        return tuple(self.arenas[int(index)] for index in used)

    def lifetime(self, tensor: Tensor) -> tuple[int, int]:
        """First and last step (inclusive) during which a tensor's memory is its own."""
        return (0, len(self.steps) - 1) if tensor.lifetime is None else tensor.lifetime

    def constant(self, tensor: Tensor) -> npt.NDArray[Any]:
        """A read-only view of a tensor in a `const` arena, of shape `tensor.stored_shape`."""
        data = self.arena(tensor.arena).data
        if data is None:
            raise ProgramError(
                f"program '{self.model}': tensor '{tensor.name}' must lie in a const arena, "
                f"not in '{tensor.arena}'"
            )
        raw = data[tensor.offset : tensor.end].view(tensor.np_dtype)
        return frozen_array(np.require(raw, requirements=["A"]).reshape(tensor.stored_shape))

    # ---- instructions --------------------------------------------------------------------

    @functools.cached_property
    def accesses(self) -> Accesses:
        """The DRAM accesses of `words`; entry i belongs to relocation i."""
        return find_accesses(self.words, self.config)

    def link(self, addresses: Mapping[str, int]) -> npt.NDArray[np.uint64]:
        """Instructions with the addresses of the arenas put in; see `vta_pynq.program.link`."""
        from vta_pynq.program.link import link

        return link(self, addresses)

    def streams(self, addresses: Mapping[str, int] | None = None) -> list[InstructionStream]:
        """One linked stream per `VtaStep`; see `vta_pynq.program.link.streams`."""
        from vta_pynq.program.link import streams

        return streams(self, addresses)

    # ---- file ----------------------------------------------------------------------------
    # The file format and the linker depend on the model, hence the imports inside.

    @classmethod
    def load(cls, source: ProgramSource) -> Program:
        """Read a program file; everything in it is checked first.

        Raises
        ------
        ProgramError
            The file is missing, damaged, truncated, hostile or foreign; nothing was used.
        """
        from vta_pynq.program.file import load_program

        return load_program(source)

    def to_bytes(self, compressed: bool = False) -> bytes:
        """The program file. Equal programs give equal bytes.

        `compressed` deflates sections, which costs the board time at load; the bytes then
        depend on the zlib in use as well.
        """
        from vta_pynq.program.file import program_bytes

        return program_bytes(self, compressed)

    def save(self, path: str | PathLike[str], compressed: bool = False) -> None:
        """Write the program file at once: `path` holds the old file or the whole new one.

        Raises
        ------
        ProgramError
            `path` cannot be written; nothing is left behind.
        """
        from vta_pynq.program.file import save_program

        save_program(self, path, compressed)

    @functools.cached_property
    def content_hash(self) -> str:
        """SHA-256 (hexadecimal) of the content: of the manifest, which has that of each section."""
        from vta_pynq.program.file import content_hash

        return content_hash(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Program) and self.content_hash == other.content_hash

    def __hash__(self) -> int:
        return hash(self.content_hash)

    def __reduce__(self) -> tuple[Callable[[bytes], Program], tuple[bytes]]:
        return cast("Callable[[bytes], Program]", Program.load), (self.to_bytes(),)
