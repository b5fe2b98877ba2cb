"""Imports point one way: the order of the rooms in ARCHITECTURE.md, held for every module."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.project.source_files import ROOT, imports_of, module_name, modules

ORDER = (
    # Lower rooms first; a module may import its own step and those above it in this list.
    ("vta_pynq.errors", "vta_pynq.whole_file"),
    ("vta_pynq.config", "vta_pynq.config_rules", "vta_pynq.config_text"),
    ("vta_pynq.config_export", "vta_pynq.hls_macros", "vta_pynq.isa"),
    ("vta_pynq.timing",),
    ("vta_pynq.stream",),
    ("vta_pynq.conformance", "vta_pynq.program", "vta_pynq.assembler", "vta_pynq.disassembler"),
    ("vta_pynq.lint",),
    ("vta_pynq.kernel",),
    (
        "vta_pynq.overlay.json_file",
        "vta_pynq.overlay.boards",
        "vta_pynq.overlay.descriptions",
        "vta_pynq.overlay.processing_system",
        "vta_pynq.hwh",
        "vta_pynq.hwh_elements",
        "vta_pynq.cpu_ops",
    ),
    ("vta_pynq.hardware",),
    ("vta_pynq.drivers",),
    (
        "vta_pynq.sim",
        "vta_pynq.overlay",
        "vta_pynq.runtime",
        "vta_pynq.selftest",
        "vta_pynq.remote.certificate",
        "vta_pynq.remote.client",
        "vta_pynq.remote.connect",
        "vta_pynq.remote.protocol",
        "vta_pynq.remote.security",
    ),
    ("vta_pynq.profile",),
    ("vta_pynq.remote",),
    ("vta_pynq.cli", "vta_pynq.notebooks", "vta_pynq.overlays"),
)
STEP = {room: step for step, rooms in enumerate(ORDER) for room in rooms}

LIGHT = tuple(room for rooms in ORDER[:8] for room in rooms)
"""What the host compiler may use, and what loads without pynq."""

EVERYWHERE = {"numpy", "cffi", "_cffi_backend"}
THIRD_PARTY = {
    # room: packages that it may load beside those of EVERYWHERE
    "vta_pynq.drivers": {"pynq"},
    "vta_pynq.overlay": {"pynq"},
    "vta_pynq.runtime": {"pynq"},
    "vta_pynq.selftest": {"pynq"},
    "vta_pynq.sim": {"pynq", "pynqmetadata"},
    "vta_pynq.remote": {"pynq", "grpc"},
    "host_compiler": {"onnx", "onnxruntime", "google", "tqdm"},
}
ON_DEMAND = {
    # room: packages that it may load inside a function only, because they may be missing
    "vta_pynq.profile": {"matplotlib", "IPython"},
    "vta_pynq.cli": {"pynq", "PIL"},
    "vta_pynq.remote.pool": {"distributed"},
    "host_compiler.tune.pool_judge": {"distributed"},
}

SOURCES = modules("vta_pynq", "host_compiler")


def room_of(module: str) -> str | None:
    """The longest room that a dotted name lies in."""
    parts = module.split(".")
    names = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((name for name in names if name in STEP), None)


def test_every_module_lies_in_a_room():
    lost = [
        module_name(path)
        for path in SOURCES
        if module_name(path).startswith("vta_pynq.") and room_of(module_name(path)) is None
    ]
    assert not lost, "add them to ORDER at the step that their imports allow"


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_module_imports_only_rooms_below_its_own(path):
    importer = module_name(path)
    wrong = []
    for name, line, _ in imports_of(path):
        if name.partition(".")[0] == "host_compiler" and importer.startswith("vta_pynq"):
            wrong.append(f"{path}:{line}: vta_pynq must not import {name}")
        room = room_of(name)
        if room is None or importer == "vta_pynq":  # the root only names homes, lazily
            continue
        if importer.startswith("host_compiler"):
            if room not in LIGHT:
                wrong.append(f"{path}:{line}: host_compiler must not import {name}")
        elif STEP[room] > STEP[room_of(importer)]:
            wrong.append(f"{path}:{line}: {importer} must not import {name}, a later room")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_module_loads_only_the_packages_of_its_room(path):
    importer = module_name(path)

    def of(table):
        return set().union(
            *(names for room, names in table.items() if f"{importer}.".startswith(f"{room}."))
        )

    allowed = EVERYWHERE | of(THIRD_PARTY) | set(sys.stdlib_module_names)
    allowed |= {"vta_pynq", "host_compiler"}
    wrong = [
        f"{path}:{line}: {importer} must not load {name}"
        for name, line, at_import in imports_of(path)
        if name.partition(".")[0] not in allowed | (set() if at_import else of(ON_DEMAND))
    ]
    assert not wrong, "\n".join(wrong)


def modules_after(statements: str) -> set[str]:
    """Top-level names in `sys.modules` of a fresh interpreter after these statements."""
    code = f"{statements}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True
    )
    return set(done.stdout.split())


def test_package_import_loads_no_third_party():
    heavy = {"numpy", "pynq", "onnx", "onnxruntime", "google", "cffi", "_cffi_backend"}
    assert not modules_after("import vta_pynq; vta_pynq.__version__") & heavy


def test_light_rooms_load_neither_pynq_nor_onnx():
    present = {room_of(module_name(path)) for path in SOURCES} & {*LIGHT, ORDER[8][0]}
    statements = "\n".join(f"import {room}" for room in sorted(present))
    loaded = modules_after(statements + "\nfrom vta_pynq import HwConfig, KernelBuilder, Program")
    assert "numpy" in loaded
    assert not loaded & {"pynq", "onnx", "onnxruntime", "google"}


def test_command_help_loads_no_third_party():
    code = "import vta_pynq.cli as c\nassert c.main(['--version']) == 0"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nassert 'numpy' not in sys.modules"],
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0


def test_rule_refuses_an_import_of_a_later_room(tmp_path):
    # The rule itself is tested: a silent parser would let everything through.
    path = tmp_path / "probe.py"
    path.write_text("def f():\n    from vta_pynq.cli import main\nimport numpy\n", encoding="utf-8")
    assert list(imports_of(path)) == [("vta_pynq.cli.main", 2, False), ("numpy", 3, True)]
    assert STEP[room_of("vta_pynq.cli.main")] > STEP[room_of("vta_pynq.isa.table")]
