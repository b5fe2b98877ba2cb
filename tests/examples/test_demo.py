"""The demo: networks quantised, compiled, run through PYNQ, as accurate as onnxruntime."""

from __future__ import annotations

import re

import pytest

from examples import demo
from vta_pynq.overlay.descriptions import find_variant
from vta_pynq.program import Program

PUBLISHED = "pynq/0.0.2/1x16_i8w8a32_15_15_18_17"
OWN = "vta1/1x16_i8w8a32_15_15_18_17"


@pytest.mark.parametrize(
    ("network", "overlay"),
    [*((name, PUBLISHED) for name in demo.NETWORKS), (demo.NETWORKS[0], OWN)],
)
def test_demo_network_is_as_accurate_as_float(network, overlay, tmp_path, capsys):
    assert demo.main([network, "--overlay", overlay, "--folder", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert find_variant(overlay).config.name in text
    found = [float(share) for share in re.findall(r"([\d.]+)%  on", text)]
    assert len(found) == 3
    on_device, quantised, real = found
    assert on_device >= real - 1 and abs(on_device - quantised) <= 0.2
    differing, total = map(int, re.findall(r"(\d+) of (\d+) scores differ", text)[0])
    assert total == 5400 and differing <= total // 1000
    assert f"  plot        {tmp_path / network}.png (" in text
    assert (tmp_path / f"{network}.png").read_bytes().startswith(b"\x89PNG")
    assert Program.load(tmp_path / f"{network}.vta").config == find_variant(overlay).config
    assert int(re.findall(r"cycles +(\d+) per image", text)[0]) > 0


def test_demo_unknown_network_is_refused(capsys):
    with pytest.raises(SystemExit) as stop:
        demo.main(["nonsense"])
    assert stop.value.code == 2
    assert "network must be one of residual, depthwise, not 'nonsense'" in capsys.readouterr().err
