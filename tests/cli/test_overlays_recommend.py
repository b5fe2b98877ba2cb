"""`vta overlays recommend`, and the provenance in `vta overlays info`."""

from __future__ import annotations

import hashlib
import json

import onnx
import pytest

from host_compiler.compile import compile_model
from tests.host_compiler.digits import quantised
from tests.overlays.builds import own
from vta_pynq.cli import main
from vta_pynq.hardware.provenance import Source, provenance, write_provenance
from vta_pynq.overlay.bitfile import empty_bitfile

SHAPE = ("--shape", "image=1,1,8,8")


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = tmp_path_factory.mktemp("program") / "net.vta"
    compile_model(quantised("depthwise"), shapes={"image": (1, 1, 8, 8)}, candidates=1).save(path)
    return path


@pytest.mark.slow
def test_recommend_compiles_a_model_for_every_overlay_of_the_board(tmp_path, capsys):
    path = tmp_path / "net.onnx"
    onnx.save(quantised("depthwise"), path)
    assert main(["overlays", "recommend", str(path), "--board", "pynq-z2", *SHAPE, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["board"] == "Pynq-Z2"
    assert len(facts["ranked"]) == 7
    totals = [row["total_s"] for row in facts["ranked"]]
    assert totals == sorted(totals)
    assert all("KV260" in r["reason"] or "ZCU104" in r["reason"] or "Ultra96" in r["reason"]
               for r in facts["refused"])  # fmt: skip


def test_recommend_of_a_program_ranks_overlays_of_its_configuration_only(program, capsys):
    assert main(["overlays", "recommend", str(program), "--board", "pynq-z1"]) == 0
    printed = capsys.readouterr().out
    ranking, rest = printed.split("not ranked:\n")
    assert ranking.splitlines()[0] == (
        f"{program} on Pynq-Z1: modelled time of one run, fastest first"
    )
    assert [line.split()[0] for line in ranking.splitlines()[2:]] == [
        "pynq/0.0.0/1x16x16_8bx8b_15_15_18_17_100MHz_7ns_v0_0_0",
        "pynq/0.0.1/1x16_i8w8a32_15_15_18_17",
        "pynq/0.0.2/1x16_i8w8a32_15_15_18_17",
    ]
    assert "the program is for 1x16_i8w8a32_15_15_18_17 (hls-64bit), not 4x8_i8w8a32" in rest


def test_recommend_for_a_board_without_a_fitting_overlay_says_no(program, capsys):
    assert main(["overlays", "recommend", str(program), "--board", "kv260", "--json"]) == 1
    facts = json.loads(capsys.readouterr().out)
    assert facts["ranked"] == []
    reasons = {r["variant"]: r["reason"] for r in facts["refused"]}
    assert "does not fit KV260" in reasons["vta1/xczu7ev/4x16_i8w8a32_15_17_18_19"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("none.onnx", "--board", "pynq-z2"), "model none.onnx: file must exist; check the path"),
        (("none.onnx", "--board", "arty"), "board must be one of KV260, Pynq-Z1"),
    ],
)
def test_recommend_of_what_is_not_there_is_wrong_use(words, message, capsys):
    assert main(["overlays", "recommend", *words]) == 2
    assert message in capsys.readouterr().err


def test_recommend_of_a_model_without_fixed_shape_is_one_error(tmp_path, capsys):
    path = tmp_path / "net.onnx"
    onnx.save(quantised("depthwise"), path)
    assert main(["overlays", "recommend", str(path), "--board", "pynq-z2"]) == 2
    assert "extent batch must be fixed" in capsys.readouterr().err


def test_info_of_a_built_bitstream_shows_where_it_comes_from(tmp_path, capsys):
    path = tmp_path / "x.bit"
    path.write_bytes(empty_bitfile("x", "7z020clg400"))
    content = provenance(
        own(), Source("ab" * 20, True), {"vivado": "2024.1"}, {"wns": 0.25, "whs": 0.1}, {}, [path]
    )
    write_provenance(tmp_path, content)
    assert main(["overlays", "info", str(path)]) == 0
    printed = capsys.readouterr().out
    assert f"built          from {'ab' * 20} with changes, with vivado 2024.1\n" in printed
    assert "timing         100 MHz, WNS 0.25 ns\n" in printed
    assert hashlib.sha256(path.read_bytes()).hexdigest() in printed
    path.write_bytes(empty_bitfile("y", "7z020clg400"))
    assert main(["overlays", "info", str(path)]) == 1
    assert "is about another x.bit; restore the files" in capsys.readouterr().out
