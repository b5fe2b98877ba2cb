"""The engine against the conformance cases and the reference interpreter, on every path."""

from __future__ import annotations

import pathlib
import threading

import numpy as np
import pytest

from tests.sim.random_streams import DEFAULT, INSN_PHYS, random_config, random_stream
from vta_pynq.conformance import Case, load_case
from vta_pynq.errors import SimError
from vta_pynq.isa.encode import decode, encode
from vta_pynq.isa.layout import format_layout
from vta_pynq.isa.table import FORMAT_OF_OPCODE, TOKENS, MemType, Opcode
from vta_pynq.selftest.interpreter import run_stream
from vta_pynq.sim.engine import PATH_VARIABLE, Dram, Engine, available_paths
from vta_pynq.stream import InstructionStream

CASES = pathlib.Path(__file__).parents[1] / "conformance"
NAMES = sorted(path.parent.name for path in CASES.glob("*/meta.json"))
PATHS = available_paths()
READS_CLEAN_SRAM = {"isa_load_acc8"}  # it stores elements that it never writes
FAST_ROUNDS, SLOW_ROUNDS = 20, 300


def run_case(engine: Engine, case: Case, **options: object) -> Dram:
    dram = Dram.of_stream(case.stream)
    engine.tokens = case.stream.tokens_in
    insn_phys = int(case.meta["insn"]["phys"], 0)
    engine.run(dram, insn_phys, len(case.stream), **options)
    return dram


@pytest.mark.parametrize("path", PATHS)
def test_engine_conformance_case_gives_expected_bytes(path: str) -> None:
    assert NAMES
    for name in NAMES:
        case = load_case(CASES / name)
        dram = run_case(Engine(case.stream.config, path=path), case)
        for output in case.outputs:
            found = dram.view(output.phys, output.expected.size)
            np.testing.assert_array_equal(found, output.expected, err_msg=name)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", NAMES)
def test_engine_hls_semantics_follows_the_reference(name: str, path: str) -> None:
    case = load_case(CASES / name)
    wanted = run_stream(case.stream, "hls")
    dram = run_case(Engine(case.stream.config, semantics="hls", path=path), case)
    for output in case.outputs:
        found = dram.view(output.phys, output.expected.size)
        np.testing.assert_array_equal(found, wanted.dram.read(output.phys, found.size))


def reserved_bits(stream: InstructionStream) -> np.ndarray:
    """The bits of each instruction that mean nothing."""
    masks = np.full(stream.words.shape, (1 << 64) - 1, np.uint64)
    for row, opcode in enumerate(decode(stream.words, stream.config)["opcode"]):
        slots = format_layout(stream.config, FORMAT_OF_OPCODE[opcode])
        for slot in slots[:5] if opcode == Opcode.FINISH else slots:
            masks[row, slot.word] &= ~np.uint64(slot.mask << slot.shift)
    return masks


def test_engine_dirty_sram_and_reserved_bits_change_nothing() -> None:
    rng = np.random.default_rng(5)
    for name in NAMES:
        case = load_case(CASES / name)
        noise = rng.integers(0, 1 << 64, case.stream.words.shape, np.uint64, endpoint=False)
        words = case.stream.words | noise & reserved_bits(case.stream)
        assert np.any(words != case.stream.words)
        engine = Engine(case.stream.config)
        if name not in READS_CLEAN_SRAM:
            engine.poison(7)
        dram = Dram.of_stream(case.stream)
        insn_phys = int(case.meta["insn"]["phys"], 0)
        dram.view(insn_phys, words.nbytes)[:] = words.view(np.uint8).reshape(-1)
        engine.run(dram, insn_phys, len(words))
        for output in case.outputs:
            found = dram.view(output.phys, output.expected.size)
            np.testing.assert_array_equal(found, output.expected, err_msg=name)


def check_against_reference(seed: int, semantics: str) -> None:
    """All that is left after a random stream: DRAM, SRAM, tokens, counters, on every path."""
    rng = np.random.default_rng([seed, semantics == "hls"])
    config = DEFAULT if rng.integers(6) == 0 else random_config(rng)
    stream = random_stream(rng, config, semantics == "hls")
    where = f"seed {seed}, {semantics}, {config.name}"
    wanted = run_stream(stream, semantics)  # type: ignore[arg-type]
    order_seed = int(rng.integers(1, 1 << 60))
    for path in PATHS:
        for order in (0, order_seed):
            dram = Dram.of_stream(stream)
            engine = Engine(config, semantics=semantics, path=path)
            engine.run(dram, INSN_PHYS, len(stream), order_seed=order)
            for segment in stream.segments:
                np.testing.assert_array_equal(
                    dram.view(segment.phys, segment.size),
                    wanted.dram.read(segment.phys, segment.size),
                    err_msg=f"{where}, {path}: {segment.name}",
                )
            for kind, values in wanted.machine.sram.items():
                if kind != MemType.OUT or semantics == "hls":
                    found = engine.sram(kind).astype(values.dtype)
                    if kind == MemType.UOP:
                        values = values & 0xFFFFFFFF
                    np.testing.assert_array_equal(found, values, err_msg=f"{where}, {path}: {kind}")
            assert engine.tokens == tuple(wanted.tokens[t.name] for t in TOKENS), where


@pytest.mark.parametrize("semantics", ["functional", "hls"])
def test_engine_random_streams_leave_what_the_reference_leaves(semantics: str) -> None:
    first = int(np.random.SeedSequence().entropy) % (1 << 32)  # type: ignore[arg-type]
    print(f"first seed {first}")
    for seed in range(first, first + FAST_ROUNDS):
        check_against_reference(seed, semantics)


@pytest.mark.slow
@pytest.mark.parametrize("semantics", ["functional", "hls"])
def test_engine_many_random_streams_leave_what_the_reference_leaves(semantics: str) -> None:
    for seed in range(SLOW_ROUNDS):
        check_against_reference(seed, semantics)


def test_engine_result_does_not_depend_on_the_thread() -> None:
    """Several engines at once; one engine for two threads is refused."""
    streams = [random_stream(np.random.default_rng(i), DEFAULT, length=60) for i in range(4)]
    alone = [run_once(stream) for stream in streams]
    found: list[np.ndarray | None] = [None] * len(streams)

    def work(number: int) -> None:
        for _ in range(5):
            found[number] = run_once(streams[number])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(streams))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    for expected, got in zip(alone, found, strict=True):
        np.testing.assert_array_equal(got, expected)


def run_once(stream: InstructionStream) -> np.ndarray:
    dram = Dram.of_stream(stream)
    Engine(stream.config).run(dram, INSN_PHYS, len(stream))
    return np.concatenate([data for _, data in dram.segments])


def test_engine_used_by_two_threads_is_refused() -> None:
    engine = Engine(DEFAULT)
    with engine._exclusive(), pytest.raises(SimError, match="one thread at a time"):
        engine.reset()
    engine.reset()


def test_engine_releases_the_interpreter_while_it_runs() -> None:
    """A second thread counts while the engine is busy with one long instruction."""
    rng = np.random.default_rng(1)
    stream = random_stream(rng, DEFAULT, length=1)
    records = decode(stream.words, DEFAULT)
    ticks: list[int] = []
    done = threading.Event()

    def count() -> None:
        while not done.is_set():
            ticks.append(1)

    gemm = np.zeros((), records.dtype)
    gemm["opcode"], gemm["uop_end"], gemm["iter_out"], gemm["iter_in"] = 2, 1, 16383, 1000
    words = encode(np.concatenate([records[:1], [gemm], records[-1:]]), DEFAULT)
    dram = Dram.of_stream(stream)
    dram.view(INSN_PHYS, words.nbytes)[:] = words.view(np.uint8).reshape(-1)
    engine = Engine(DEFAULT)
    engine.tokens = (9, 9, 9, 9)
    thread = threading.Thread(target=count)
    thread.start()
    before = len(ticks)
    engine.run(dram, INSN_PHYS, len(words))
    during = len(ticks) - before
    done.set()
    thread.join(timeout=10)
    assert during > 100


def test_engine_path_variable_forces_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PATH_VARIABLE, "portable")
    assert Engine(DEFAULT).path == "portable"
    monkeypatch.setenv(PATH_VARIABLE, "sse9")
    with pytest.raises(SimError) as caught:
        Engine(DEFAULT)
    assert str(caught.value) == (
        f"engine: VTA_SIM_PATH must be one of {', '.join(PATHS)} on this machine, not 'sse9'"
    )


def test_engine_tokens_in_are_consumed_and_left_over() -> None:
    case = load_case(CASES / "isa_tokens_multi")
    engine = Engine(case.stream.config)
    engine.tokens = (3, 1, 4, 1)
    dram = Dram.of_stream(case.stream)
    engine.run(dram, int(case.meta["insn"]["phys"], 0), len(case.stream))
    assert engine.tokens == (3, 1, 4, 1)
    engine.reset()
    assert engine.tokens == (0, 0, 0, 0)
