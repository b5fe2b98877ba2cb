"""The demo: networks quantised, compiled, run through PYNQ, as accurate as onnxruntime."""

from __future__ import annotations

import re

import pytest

from examples import demo


@pytest.mark.parametrize("network", demo.NETWORKS)
def test_demo_network_is_as_accurate_as_float(network, capsys):
    assert demo.main([network]) == 0
    text = capsys.readouterr().out
    found = [float(share) for share in re.findall(r"([\d.]+)%  on", text)]
    assert len(found) == 3
    on_device, quantised, real = found
    assert on_device >= real - 1 and abs(on_device - quantised) <= 0.2
    differing, total = map(int, re.findall(r"(\d+) of (\d+) scores differ", text)[0])
    assert total == 5400 and differing <= total // 1000
    assert int(re.findall(r"cycles +(\d+) per image", text)[0]) > 0


def test_demo_unknown_network_is_refused(capsys):
    with pytest.raises(SystemExit) as stop:
        demo.main(["nonsense"])
    assert stop.value.code == 2
    assert "network must be one of residual, depthwise, not 'nonsense'" in capsys.readouterr().err
