"""The HLS C++ against the fast engine and the reference: random programs, networks, sanitizers."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from host_compiler.compile import compile_model
from tests.conftest import ROOT
from tests.host_compiler.digits import NETWORKS, images, quantised
from tests.sim.random_streams import random_config, random_stream
from vta_pynq.config import Capability, HwConfig
from vta_pynq.hls_macros import with_operations
from vta_pynq.overlay import VtaOverlay
from vta_pynq.selftest.interpreter import run_stream
from vta_pynq.sim.csim import CsimEngine
from vta_pynq.sim.engine import Dram, Engine

pytestmark = pytest.mark.csim

CONFIG = HwConfig()
REQUANT = HwConfig().with_capabilities(Capability.ALU_REQUANT)


def _agree(config, rng, programs):
    csim, fast = CsimEngine(with_operations(config)), Engine(config)
    for _ in range(programs):
        stream = random_stream(rng, config)
        images = []
        for engine in (csim, fast):
            dram = Dram.of_stream(stream)
            engine.reset()
            engine.run(dram, stream.segments[0].phys, len(stream))
            images.append(dram)
        expected = run_stream(stream)
        for segment in stream.segments:
            wanted = expected.dram.read(segment.phys, segment.size)
            for engine, dram in zip(("csim", "fast"), images, strict=True):
                found = dram.view(segment.phys, segment.size)
                assert np.array_equal(found, wanted), f"{config.name}: {engine}: {segment.name}"
        assert csim.tokens == fast.tokens


def test_random_programs_default_configuration_agree_with_engine_and_reference(hypothesis_seed):
    print(f"seed {hypothesis_seed}")
    _agree(REQUANT, np.random.default_rng(hypothesis_seed), 5)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(8))
def test_random_programs_random_configuration_agree_with_engine_and_reference(
    hypothesis_seed, number
):
    print(f"seed {hypothesis_seed}, configuration {number}")
    rng = np.random.default_rng([hypothesis_seed, number])
    # Wide tiles take seconds a program and show nothing else. Half of them have REQUANT for sure.
    config = random_config(rng)
    while config.log_block > 5 or (number % 2 and not config.has(Capability.ALU_REQUANT)):
        config = random_config(rng)
    _agree(config, rng, 30)


@pytest.fixture
def hypothesis_seed(request):
    return int(request.config.getoption("hypothesis_seed"))


@pytest.mark.parametrize("network", NETWORKS)
def test_digits_network_through_the_driver_gives_the_simulators_bits(network, tmp_path):
    file = tmp_path / "digits.vta"
    compile_model(quantised(network), CONFIG, shapes={"batch": 1}, name=network).save(file)
    found = {}
    for word in ("csim", "sim"):
        with VtaOverlay(CONFIG.name, device=word) as overlay:
            model = overlay.load(file)
            found[word] = [model.run(image[None]) for image in images()[:3]]
    for first, second in zip(found["csim"], found["sim"], strict=True):
        for mine, theirs in zip(first, second, strict=True):
            assert np.array_equal(mine, theirs)


@pytest.mark.slow
def test_sanitizers_find_nothing(hypothesis_seed):
    print(f"seed {hypothesis_seed}")
    libraries = []
    for name in ("libasan.so", "libstdc++.so.6"):
        # Both first: the sanitizer looks the second's functions up when it starts.
        found = subprocess.run(
            ["g++", f"-print-file-name={name}"], capture_output=True, text=True, check=True
        )
        libraries.append(found.stdout.strip())
    environment = {
        **os.environ,
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": "detect_leaks=0",  # the interpreter's own
        "PYTHONPATH": str(ROOT),
    }
    cases = ROOT / "tests/conformance"
    done = subprocess.run(
        [sys.executable, "-m", "tests.sim.sanitized_csim", cases, str(hypothesis_seed), "20"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 20
