"""`vta profile` and `vta roofline`: text, JSON, and the files that they write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.profile.sources import program, program_run
from vta_pynq.cli import main
from vta_pynq.profile.table import layer_facts, layer_table, run_facts


@pytest.fixture
def file(tmp_path: Path) -> str:
    program().save(tmp_path / "small.vta")
    return str(tmp_path / "small.vta")


def test_profile_text_is_the_table(file, capsys):
    assert main(["profile", file]) == 0
    assert capsys.readouterr().out == layer_table(program_run()) + "\n"


def test_profile_table_has_cycles_waits_bytes_and_the_sum():
    lines = layer_table(program_run()).splitlines()
    head, product, total = lines[1], lines[3], lines[6]
    assert head.split() == [
        "#", "layer", "operator", "cycles", "x", "serial", "busy", "MMAC", "GOPS", "%", "peak",
        "inp", "KB", "wgt", "KB", "acc", "KB", "uop", "KB", "out", "KB", "%", "instruction", "%",
        "data", "%", "drained", "result",
    ]  # fmt: skip
    layer, run = program_run().layer("product"), program_run()
    gops = 2 * 10_000 / layer.cycles * 0.1
    assert product.split()[:4] == ["2", "product", "Conv", str(layer.cycles)]
    assert product.split()[4] == f"{layer.serial_cycles / layer.cycles:.2f}"
    assert product.split()[6:9] == ["0.010", f"{gops:.1f}", f"{100 * gops / 51.2:.1f}"]
    assert total.split()[:2] == ["total", str(run.cycles)]
    assert len({len(line) for line in lines[1:7]}) == 1
    assert f"without latency hiding {run.serial_cycles} cycles" in lines[7]


def test_profile_json_is_the_facts(file, capsys):
    assert main(["profile", file, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts == json.loads(json.dumps(run_facts(program_run())))
    assert facts["cycles"] == sum(layer["cycles"] for layer in facts["layers"])
    assert facts["layers"][1]["stalls"]["compute"]["l2g"] == 364
    assert facts["layers"][0]["bytes"]["wgt"] == 6 * 256


def test_profile_options_reach_the_model(file, capsys):
    arguments = ["--profile", "chisel-64bit", "--latency", "99", "--clock", "50", "--json"]
    assert main(["profile", file, *arguments]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["profile"], facts["memory_latency"]) == ("chisel-64bit", 99)
    assert (facts["clock_mhz"], facts["peak_gops"]) == (50, 25.6)
    assert facts["ms"] == pytest.approx(facts["cycles"] / 50e3)


def test_profile_layer_alone(file, capsys):
    assert main(["profile", file, "--layer", "product", "--json"]) == 0
    layers = json.loads(capsys.readouterr().out)["layers"]
    expected = layer_facts(program_run(), program_run().layer("product"))
    assert layers == [json.loads(json.dumps(expected))]


@pytest.mark.simulator
def test_profile_writes_pictures_trace_and_measured_steps(file, tmp_path, capsys):
    names = {
        "--timeline": "t.svg", "--sram": "s.png", "--bars": "b.svg", "--trace": "t.json.gz",
    }  # fmt: skip
    paths = {option: str(tmp_path / name) for option, name in names.items()}
    arguments = [word for pair in paths.items() for word in pair]
    assert main(["profile", file, *arguments, "--cycles", "10:900", "--device", "sim"]) == 0
    out = capsys.readouterr().out
    for path in paths.values():
        assert f"wrote {path}\n" in out
        assert Path(path).stat().st_size > 500
    assert "ms by the cycle model" in out
    assert "the simulator's own speed" in out


@pytest.mark.simulator
def test_profile_json_has_the_measured_steps(file, capsys):
    assert main(["profile", file, "--json", "--device", "sim"]) == 0
    measured = json.loads(capsys.readouterr().out)["measured"]
    assert measured["simulated"] is True
    assert [step["op"] for step in measured["steps"]].count("accelerator") == 2


@pytest.mark.simulator
def test_profile_json_has_the_counters_of_the_own_design(file, capsys):
    own = "vta1/1x16_i8w8a32_15_15_18_17"
    words = ["profile", file, "--json", "--device", "sim", "--overlay", own, "--profile", "vta1"]
    assert main(words) == 0
    facts = json.loads(capsys.readouterr().out)
    counters = facts["measured"]["counters"]
    assert counters["cycles"] == counters["modelled_cycles"] == facts["cycles"]
    assert set(counters["modules"]) == {"fetch", "load", "compute", "store"}


def test_roofline_text_json_and_picture(file, tmp_path, capsys):
    picture = tmp_path / "r.png"
    assert main(["roofline", file, "-o", str(picture)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:5] == [
        "matrix unit: 51.2 GOPS",
        "load, compute and store at once: 2.4 GB/s",
        "LOAD of inputs: 0.8 GB/s",
        "LOAD of weights: 0.4 GB/s",
    ]
    assert lines[-1] == f"wrote {picture}"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert main(["roofline", file, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert [layer["name"] for layer in facts["layers"]] == ["product", "last"]
    assert facts["roofs"][2] == {"name": "LOAD of weights", "gb_s": 0.4}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--timeline", "x.pdf"], "picture x.pdf: suffix must be .png or .svg, not '.pdf'"),
        (["--cycles", "5"], "--cycles: value must be BEGIN:END in cycles, not '5'"),
        (["--trace", "x.txt"], "trace x.txt: suffix must be .json or .json.gz; rename it"),
        (["--clock", "0"], "clock: frequency must be a number of MHz above 0, not 0.0"),
    ],
)
def test_profile_wrong_use_is_one_paragraph(file, arguments, message, capsys):
    assert main(["profile", file, *arguments]) == 2
    assert capsys.readouterr().err == f"vta profile: {message}\n"
