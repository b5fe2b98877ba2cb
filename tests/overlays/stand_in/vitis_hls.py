"""The commands of Vitis HLS that the script uses; the IP that comes out is only its registers."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.overlays.stand_in.component import hls_registers, write_component
from tests.overlays.stand_in.serve import CommandError, options


class VitisHls:
    """`moved` shifts the register of that name by 8 bytes, as another release might."""

    def __init__(self, folder: Path, moved: str = "") -> None:
        self.folder = folder
        self.moved = moved
        self.values: dict[str, str] = {}
        self.done: list[str] = []

    def answer(self, name: str, words: Sequence[str]) -> str:
        method: Callable[[Sequence[str]], str] | None = getattr(self, f"do_{name}", None)
        if method is None:
            raise CommandError(f'invalid command name "{name}"')
        self.done.append(name)
        return method(words)

    def do_open_project(self, words: Sequence[str]) -> str:
        _, (self.values["project"],) = options(words, reset=False)
        return ""

    def do_set_top(self, words: Sequence[str]) -> str:
        (self.values["top"],) = words
        return ""

    def do_add_files(self, words: Sequence[str]) -> str:
        found, (path,) = options(words, cflags=True)
        text = Path(path).read_text(encoding="utf-8")
        if not re.search(rf"\b{self.values['top']}\(", text):
            raise CommandError(f"top {self.values['top']} is not in {path}")
        self.values.update(source=path, cflags=found["cflags"])
        return ""

    def do_open_solution(self, words: Sequence[str]) -> str:
        found, (self.values["solution"],) = options(words, reset=False, flow_target=True)
        if found.get("flow_target") != "vivado":
            raise CommandError("flow_target must be vivado to make an IP for a block design")
        return ""

    def do_set_part(self, words: Sequence[str]) -> str:
        (self.values["part"],) = words
        return ""

    def do_create_clock(self, words: Sequence[str]) -> str:
        found, _ = options(words, period=True, name=True)
        self.values["period"] = str(float(found["period"]))
        return ""

    def do_config_interface(self, words: Sequence[str]) -> str:
        for word in words:
            if word != "-m_axi_addr64=false":
                raise CommandError(f"unknown option {word}")
        return ""

    def do_config_rtl(self, words: Sequence[str]) -> str:
        options(words, reset=True, reset_level=True)
        return ""

    def do_csynth_design(self, words: Sequence[str]) -> str:
        missing = {"top", "source", "solution", "part", "period"} - self.values.keys()
        if missing:
            raise CommandError(f"{sorted(missing)} must be set before csynth_design")
        reports = self._solution() / "syn" / "report"
        reports.mkdir(parents=True)
        top = self.values["top"]
        (reports / f"{top}_csynth.rpt").write_text("report of the stand-in\n")
        (reports / f"{top}_csynth.xml").write_text(
            "<profile><ReportVersion><Version>2024.1</Version></ReportVersion></profile>"
        )
        return ""

    def _solution(self) -> Path:
        return self.folder / "hls" / self.values["project"] / self.values["solution"]

    def do_export_design(self, words: Sequence[str]) -> str:
        if "csynth_design" not in self.done:
            raise CommandError("csynth_design must come first")
        found, _ = options(
            words, rtl=True, format=True, ipname=True, vendor=True, library=True, version=True
        )
        if found["format"] != "ip_catalog":
            raise CommandError(f"format {found['format']}")
        vlnv = ":".join(found[key] for key in ("vendor", "library", "ipname", "version"))
        module = self.values["top"].removeprefix("vta_")
        registers = [
            (name, at + 8 if name == self.moved else at) for name, at in hls_registers(module)
        ]
        path = self._solution() / "impl" / "ip" / "component.xml"
        write_component(path, vlnv, "s_axi_control", registers)
        return ""

    def do_close_project(self, words: Sequence[str]) -> str:
        return ""
