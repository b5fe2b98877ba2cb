"""The micro-op cache: hits cost no load, evictions are right, nothing breaks past its depth."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernel.machine import assert_clean, run_kernel, run_on_engine
from vta_pynq.config import HwConfig
from vta_pynq.isa.encode import decode
from vta_pynq.isa.table import AluOp, MemType, Opcode
from vta_pynq.kernel import Kernel, KernelBuilder
from vta_pynq.kernel.uop_cache import UopCache

TINY = HwConfig(
    log_uop_buff_size=6, log_inp_buff_size=9, log_wgt_buff_size=11, log_acc_buff_size=11
)


def counting_kernel(config: HwConfig, uses: list[np.ndarray], profile: str) -> Kernel:
    """Adds 1 to the accumulators of each use, then stores all."""
    b = KernelBuilder(config, profile, auto_sync=True)
    depth = config.acc_depth
    zero = b.dram("zero", MemType.ACC, depth, np.zeros(1, np.int32))
    y = b.dram("y", MemType.OUT, depth)
    b.load(MemType.ACC, 0, zero, x=depth)
    for indices in uses:
        b.push_alu(AluOp.ADD, b.uops(indices), imm=1)
    b.push_alu(AluOp.ADD, b.uops(0), (depth, 1, 1, 0), imm=0)
    b.store(0, y, x=depth)
    return b.build()


def check_counts(kernel: Kernel, uses: list[np.ndarray]) -> None:
    config = kernel.config
    counts = np.zeros(config.acc_depth, np.int64)
    for indices in uses:
        np.add.at(counts, indices, 1)
    expected = np.repeat(counts.astype(np.int8), config.batch * config.block)
    np.testing.assert_array_equal(run_on_engine(kernel)["y"].view(np.int8), expected)


@pytest.mark.parametrize("profile", ["functional", "hls-64bit"])
def test_cache_past_8192_micro_ops_computes_the_right_result(profile: str) -> None:
    config = HwConfig()
    rng = np.random.default_rng(11)
    uses = [rng.permutation(config.acc_depth)[:1500] for _ in range(9)]
    uses += [uses[k] for k in (0, 8, 1, 7, 2)]
    assert sum(map(len, uses[:9])) > config.uop_depth == 8192
    kernel = counting_kernel(config, uses, profile)
    check_counts(kernel, uses)
    assert_clean(kernel)


@pytest.mark.parametrize("seed", range(6))
def test_cache_under_pressure_computes_the_right_result(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pool = [rng.permutation(TINY.acc_depth)[: rng.integers(1, 17)] for _ in range(9)]
    uses = [pool[k] for k in rng.integers(0, len(pool), 150)]
    kernel = counting_kernel(TINY, uses, "hls-64bit")
    check_counts(kernel, uses)
    expected = run_on_engine(kernel)["y"]
    np.testing.assert_array_equal(run_kernel(kernel)["y"], expected)
    assert_clean(kernel)
    insns = decode(kernel.words, TINY)
    loads = insns[(insns["opcode"] == Opcode.LOAD) & (insns["memory_type"] == MemType.UOP)]
    loads = loads[loads["x_size"] > 0]
    assert ((loads["dram_base"] - loads["sram_base"]) % 2 == 0).all()
    assert (loads["y_size"] == 1).all()
    assert (loads["sram_base"] + loads["x_size"]).max() <= TINY.uop_depth


@pytest.mark.parametrize("profile", ["functional", "chisel-64bit"])
def test_kernel_larger_than_the_buffer_is_split(profile: str) -> None:
    config = HwConfig()
    indices = np.tile(np.arange(0, config.acc_depth, 2), 10)
    kernel = counting_kernel(config, [indices], profile)
    check_counts(kernel, [indices])
    limit = 2048 if profile == "chisel-64bit" else 8192
    insns = decode(kernel.words, config)
    assert insns["uop_end"].max() == limit
    assert_clean(kernel)


def test_cache_hit_costs_no_load() -> None:
    config = HwConfig()
    b = KernelBuilder(config, auto_sync=True)
    for _ in range(5):
        b.push_gemm(b.uops(np.arange(8)), reset=True)
        with b.gemm(reset=True) as k:
            for dst in range(8):
                k.uop(dst)
    assert b.uop_loads == 1
    assert len(b.build().uops) == 8


def test_cache_keeps_the_recently_used_kernel() -> None:
    cache = UopCache(8)
    kernels = [cache.intern(np.arange(k, k + 4, dtype=np.uint32)) for k in range(3)]
    assert [cache.use(kernels[k]) for k in (0, 1, 0, 2, 0, 1)] == [
        True, True, False, True, False, True,
    ]  # fmt: skip


def test_synchronize_without_sram_loads_micro_ops_again() -> None:
    b = KernelBuilder(HwConfig(), auto_sync=True)
    b.push_gemm(b.uops(0), reset=True)
    b.synchronize()
    b.push_gemm(b.uops(0), reset=True)
    assert b.uop_loads == 1
    b.synchronize(keep_sram=False)
    b.push_gemm(b.uops(0), reset=True)
    assert b.uop_loads == 2
    assert len(b.build().submissions) == 3


@pytest.mark.parametrize("seed", range(20))
def test_cache_sram_always_holds_what_is_used(seed: int) -> None:
    rng = np.random.default_rng(seed)
    depth = int(rng.choice([7, 16, 32, 64]))
    cache, sram = UopCache(depth), np.zeros(depth, np.uint32)
    contents = [rng.integers(0, 1 << 32, rng.integers(1, depth + 1), np.uint32) for _ in range(12)]
    contents += [rng.integers(0, 1 << 32, rng.integers(1, 4), np.uint32) for _ in range(12)]
    for _ in range(400):
        words = contents[int(rng.integers(0, len(contents)))]
        kernel = cache.intern(words)
        if cache.use(kernel):
            dram = cache.dram()[kernel.dram_base :]
            sram[kernel.sram_base : kernel.sram_base + kernel.count] = dram[: kernel.count]
            assert (kernel.dram_base - kernel.sram_base) % 2 == 0
        assert kernel.sram_base + kernel.count <= depth
        used = sram[kernel.sram_base : kernel.sram_base + kernel.count]
        np.testing.assert_array_equal(used, words, f"seed {seed}")


def test_cache_evicts_a_kernel_that_reaches_past_the_first_fill() -> None:
    cache = UopCache(32)
    small, whole, other = (cache.intern(np.arange(n, dtype=np.uint32)) for n in (22, 32, 4))
    assert [cache.use(kernel) for kernel in (small, whole, other)] == [True, True, True]
    assert cache.use(whole), "the last one overwrote a part of it"


@pytest.mark.parametrize("seed", range(6))
def test_prefetch_random_plans_gives_the_same_result_in_fewer_loads(seed: int) -> None:
    print(f"seed {seed}")
    random = np.random.default_rng(seed)
    uses = [random.choice(32, int(random.integers(1, 6)), replace=False) for _ in range(24)]

    def build(ahead: int) -> tuple[Kernel, int]:
        b = KernelBuilder(TINY, "hls-64bit", auto_sync=True)
        depth = TINY.acc_depth
        zero = b.dram("zero", MemType.ACC, depth, np.zeros(1, np.int32))
        y = b.dram("y", MemType.OUT, depth)
        b.load(MemType.ACC, 0, zero, x=depth)
        plans = [b.plan_alu(AluOp.ADD, b.uops(indices), imm=1) for indices in uses]
        for at, plan in enumerate(plans):
            if ahead and b.missing(plan):
                b.prefetch(plans[at : at + ahead])
            b.issue(plan)
        b.push_alu(AluOp.ADD, b.uops(0), (depth, 1, 1, 0), imm=0)
        b.store(0, y, x=depth)
        kernel = b.build()
        records = decode(kernel.stream().words, TINY)
        loads = (records["opcode"] == Opcode.LOAD) & (records["memory_type"] == MemType.UOP)
        return kernel, int((loads & (records["x_size"] > 0)).sum())

    (one, each), (other, together) = build(0), build(3)
    check_counts(one, uses)
    check_counts(other, uses)
    assert together < each
