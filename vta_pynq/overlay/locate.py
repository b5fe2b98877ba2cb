"""Finding the bitstream that a name or path means, with its `.hwh` file beside it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from vta_pynq.config import HwConfig
from vta_pynq.errors import ConfigError
from vta_pynq.hwh import hwh_text
from vta_pynq.isa.registers import PUBLISHED
from vta_pynq.overlay.bitfile import empty_bitfile
from vta_pynq.overlay.descriptions import Board, Variant, find_variant, overlay_folder, variants
from vta_pynq.timing.profiles import DEFAULT_PROFILE, get_profile

__all__ = ["SEARCH_VARIABLE", "Located", "locate", "search_folders", "user_folder"]

SEARCH_VARIABLE = "VTA_OVERLAYS"
"""Environment variable with folders to search first, separated like those of PATH."""

_SIMULATED_CLOCK_MHZ = 100.0


class Located:
    """A bitstream ready to be loaded; `close` removes what was made for it."""

    def __init__(self, bitfile: Path, staging: Path | None = None) -> None:
        self.bitfile = bitfile
        self.staging = staging

    def close(self) -> None:
        """Remove the temporary folder, if there is one."""
        if self.staging is not None:
            shutil.rmtree(self.staging, ignore_errors=True)
            self.staging = None


def user_folder() -> Path:
    """Where `vta overlays fetch` installs unless told otherwise."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "vta_pynq" / "overlays"


def search_folders() -> list[Path]:
    """The folders in which bitstreams are looked for, in order."""
    chosen = [Path(word) for word in os.environ.get(SEARCH_VARIABLE, "").split(os.pathsep) if word]
    return [*chosen, user_folder(), overlay_folder()]


def _installed(variant: Variant) -> Iterator[Path]:
    """Existing bitstream files of a variant."""
    for folder in search_folders():
        path = folder / f"{variant.name}.bit"
        if path.is_file():
            yield path


def _stage(stem: str, hwh: str, bitfile: Path | None, part: str) -> Located:
    """A temporary folder with the `.hwh` text beside the bitstream (or an empty one)."""
    folder = Path(tempfile.mkdtemp(prefix="vta-overlay-"))
    target = folder / f"{stem}.bit"
    (folder / f"{stem}.hwh").write_text(hwh, encoding="utf-8")
    if bitfile is None:
        target.write_bytes(empty_bitfile(stem, part))
    else:
        target.symlink_to(bitfile.resolve())
    return Located(target, folder)


def _simulated_variant(name: str, board: Board) -> Variant:
    """A variant of the published design in any configuration, which only a simulator can load.

    Raises
    ------
    ConfigError
        `name` is no configuration's name.
    """
    try:
        config = HwConfig.from_name(name)
    except ConfigError as error:
        raise ConfigError(
            f"{_must_name(board)}, not {name!r} ({error}); run 'vta overlays list'"
        ) from None
    return Variant(
        name=f"simulated/{name}",
        design=PUBLISHED,
        address_map=next(iter(PUBLISHED.address_maps.values())),
        config=config,
        profile=get_profile(DEFAULT_PROFILE),
        boards=(board.name,),
        clock_mhz=_SIMULATED_CLOCK_MHZ,
    )


def _must_name(board: Board) -> str:
    known = ", ".join(v.name for v in variants() if board.name in v.boards)
    return f"overlay: name must be a .bit file or one of {known or 'none'} on {board.name}"


def _locate_path(path: Path, board: Board) -> Located:
    if path.with_suffix(".hwh").is_file():
        return Located(path.absolute())
    variant = find_variant(path.stem, board)
    if variant is None:
        raise ConfigError(
            f"{path}: a .hwh file must lie beside it, not be missing; put it there, or name the "
            "bitstream like one that 'vta overlays list' shows"
        )
    return _stage(path.stem, hwh_text(variant, board), path, "")


def locate(name: str | os.PathLike[str], board: Board, *, simulated: bool) -> Located:
    """The bitstream that `name` means on `board`.

    `name` is the path of a `.bit` file, a variant's name (`pynq/0.0.2/1x16_…`), its last part, or
    a configuration's name; of several variants the newest is taken. On a simulated device a
    bitstream that is not installed is replaced by an empty one, and any configuration works.

    Raises
    ------
    ConfigError
        There is no such file or variant, or its bitstream is not installed.
    """
    text = os.fspath(name)
    path = Path(text)
    if path.suffix == ".bit":
        if not path.is_file():
            raise ConfigError(f"overlay {text}: the file must exist; check the path")
        return _locate_path(path, board)
    variant = find_variant(text, board)
    if variant is None and simulated:
        variant = _simulated_variant(text, board)
    if variant is None:
        raise ConfigError(f"{_must_name(board)}, not {text!r}; run 'vta overlays list'")
    for bitfile in _installed(variant):
        return _locate_path(bitfile, board)
    if simulated:
        stem = variant.stem
        return _stage(stem, hwh_text(variant, board), None, board.bitstream_parts[0])
    raise ConfigError(
        f"overlay {text}: the bitstream {variant.name}.bit must be installed in one of "
        f"{', '.join(map(str, search_folders()))}; run 'vta overlays fetch {variant.name}'"
    )
