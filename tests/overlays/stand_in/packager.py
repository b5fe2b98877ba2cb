"""The commands of Vivado's IP packager that the scripts use, on a record of one core."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.overlays.stand_in.catalogue import control_model
from tests.overlays.stand_in.component import write_component
from tests.overlays.stand_in.serve import CommandError, options
from tests.overlays.stand_in.vivado import Vivado
from vta_pynq.hardware.tcl import tcl_word


class Packager(Vivado):
    """Objects are named by paths: `core`, `bus:NAME`, `map:NAME/block/register/field`."""

    def __init__(self, *rest: object) -> None:
        super().__init__(*rest)  # type: ignore[arg-type]
        self.core: dict[str, str] = {}
        self.buses: set[str] = set()
        self.objects: dict[str, dict[str, str]] = {}
        self.saved = False

    def answer(self, name: str, words: Sequence[str]) -> str:
        return super().answer(name.replace("::", "_"), words)

    def do_close_project(self, words: Sequence[str]) -> str:
        return ""

    def do_ipx_package_project(self, words: Sequence[str]) -> str:
        found, _ = options(words, root_dir=True, vendor=True, library=True, taxonomy=True)
        self.core = dict(found)
        # What the packager infers from names: the slave, clock and reset, and of the taps what
        # looks like streams.
        model = control_model()
        self.buses = {"s_axi_control", "aclk", "aresetn"} | {
            name.removesuffix("_tvalid") for name in model.pins if name.endswith("_tvalid")
        }
        self.objects["map:s_axi_control/reg0"] = {}
        return "core"

    def do_ipx_current_core(self, words: Sequence[str]) -> str:
        return "core"

    def do_ipx_get_bus_interfaces(self, words: Sequence[str]) -> str:
        _, names = options(words, quiet=False, of_objects=True)
        found = [name for name in sorted(self.buses) if not names or name == names[0]]
        return tcl_word([f"bus:{name}" for name in found])[1:-1]

    def do_ipx_infer_bus_interface(self, words: Sequence[str]) -> str:
        name, vlnv, _ = words
        if name not in control_model().pins:
            raise CommandError(f"no port {name}")
        if vlnv.split(":")[2].removesuffix("_rtl") not in ("clock", "reset", "interrupt"):
            raise CommandError(f"no interface {vlnv}")
        self.buses.add(name)
        return f"bus:{name}"

    def do_ipx_remove_bus_interface(self, words: Sequence[str]) -> str:
        self.buses.remove(words[0])
        return ""

    def do_ipx_add_bus_parameter(self, words: Sequence[str]) -> str:
        _, (name, bus) = options(words, quiet=False)
        self.objects[f"{bus}/{name}"] = {}
        return f"{bus}/{name}"

    def do_ipx_get_bus_parameters(self, words: Sequence[str]) -> str:
        found, (name,) = options(words, of_objects=True)
        return f"{found['of_objects']}/{name}"

    def do_ipx_associate_bus_interfaces(self, words: Sequence[str]) -> str:
        found, _ = options(words, busif=True, clock=True)
        if not {found["busif"], found["clock"]} <= self.buses:
            raise CommandError(f"no such interfaces: {found}")
        return ""

    def do_ipx_get_memory_maps(self, words: Sequence[str]) -> str:
        _, (name,) = options(words, quiet=False, of_objects=True)
        return f"map:{name}"

    def do_ipx_get_address_blocks(self, words: Sequence[str]) -> str:
        found, _ = options(words, quiet=False, of_objects=True)
        return f"{found['of_objects']}/reg0"

    def _add(self, words: Sequence[str]) -> str:
        name, parent = words
        path = f"{parent}/{name}"
        if parent not in self.objects or path in self.objects:
            raise CommandError(f"{path} cannot be added")
        self.objects[path] = {}
        return path

    do_ipx_add_register = do_ipx_add_field = _add

    def do_set_property(self, words: Sequence[str]) -> str:
        if len(words) == 3 and words[2] in self.objects:
            self.objects[words[2]][words[0]] = words[1]
            return ""
        if words[-1] == "core":
            self.core[words[0]] = words[1]
            return ""
        return super().do_set_property(words)

    def do_get_property(self, words: Sequence[str]) -> str:
        if words[0] == "name" and words[1].startswith("bus:"):
            return words[1].removeprefix("bus:")
        return super().do_get_property(words)

    def do_ipx_create_xgui_files(self, words: Sequence[str]) -> str:
        return ""

    do_ipx_update_checksums = do_ipx_check_integrity = do_ipx_create_xgui_files

    def registers(self) -> list[tuple[str, int]]:
        """Name and offset of each register that was described."""
        prefix = "map:s_axi_control/reg0/"
        return [
            (path.removeprefix(prefix), int(values["address_offset"], 0))
            for path, values in self.objects.items()
            if path.startswith(prefix) and "address_offset" in values
        ]

    def do_ipx_save_core(self, words: Sequence[str]) -> str:
        self.saved = True
        vlnv = ":".join(self.core[key] for key in ("vendor", "library", "name", "version"))
        path = Path(self.core["root_dir"]) / "component.xml"
        write_component(path, vlnv, "s_axi_control", self.registers())
        return ""
