"""Ranking variants for a model."""

from __future__ import annotations

import pytest

from host_compiler.compile import compile_model
from tests.host_compiler.digits import quantised
from tests.overlays.builds import OWN
from vta_pynq.errors import CompileError
from vta_pynq.hardware.ranking import rank, why_not
from vta_pynq.overlay.boards import get_board
from vta_pynq.overlay.descriptions import find_variant, variants
from vta_pynq.timing import simulate

Z2 = get_board("Pynq-Z2")
PUBLISHED = find_variant("pynq/0.0.2/1x16_i8w8a32_15_15_18_17")
FOURFOLD = find_variant("pynq/0.0.1/4x8_i8w8a32_15_16_16_18")
CHOSEN = (PUBLISHED, FOURFOLD, find_variant("vta1/xczu7ev/1x32_i8w8a32_15_15_19_18"))


def compiled(variant):
    # Few candidates: the tests are about the ranking.
    return compile_model(
        quantised("depthwise"), variant.config.base_name, variant.profile.name,
        {"image": (1, 1, 8, 8)}, candidates=1,
    )  # fmt: skip


def test_rank_orders_by_modelled_time_at_each_clock():
    programs = {}

    def remember(variant):
        programs[variant.name] = compiled(variant)
        return programs[variant.name]

    ranked, refused = rank(Z2, CHOSEN, remember)
    assert [r.variant.name for r in refused] == [CHOSEN[2].name]
    assert {r.variant.name for r in ranked} == {PUBLISHED.name, FOURFOLD.name}
    assert [r.total_s for r in ranked] == sorted(r.total_s for r in ranked)
    for found in ranked:
        program = programs[found.variant.name]
        cycles = sum(
            simulate(stream, found.variant.profile).total_cycles for stream in program.streams()
        )
        assert found.cycles == cycles > 0
        assert found.accelerator_s == pytest.approx(cycles / (found.variant.clock_mhz * 1e6))
        assert found.processor_s > 0 and found.processor_steps > 0


def test_rank_compiles_once_for_variants_that_share_a_configuration():
    alike = [v for v in variants() if v.config == PUBLISHED.config]
    assert len(alike) == 3
    calls = []
    ranked, _ = rank(Z2, alike, lambda v: calls.append(v.name) or compiled(v))
    assert len(calls) == 1
    assert len({r.cycles for r in ranked}) == 1


def test_rank_tells_why_a_model_does_not_compile_for_a_variant():
    def only_narrow(variant):
        if variant is FOURFOLD:
            raise CompileError("model: batch must be 1")
        return compiled(variant)

    ranked, refused = rank(Z2, (PUBLISHED, FOURFOLD), only_narrow)
    assert [r.variant for r in ranked] == [PUBLISHED]
    assert [(r.variant, r.reason) for r in refused] == [(FOURFOLD, "model: batch must be 1")]


def test_rank_of_a_model_that_compiles_for_none_is_the_models_error():
    def never(variant):
        raise CompileError("model: damaged")

    with pytest.raises(CompileError, match="model: damaged"):
        rank(Z2, (PUBLISHED, FOURFOLD), never)


@pytest.mark.parametrize(
    ("name", "board", "reason"),
    [
        (PUBLISHED.name, "Pynq-Z2", None),
        (PUBLISHED.name, "KV260", "for Pynq-Z1, Pynq-Z2"),
        ("vta1/xczu3eg/2x16_i8w8a32_15_16_18_18", "Pynq-Z2",
         "for Ultra96-V2; does not fit Pynq-Z2: DSP: 332 of 220, RAMB36: 182 of 140, LUT: "
         "40386 of 39900"),
        ("vta1/1x16_i8w8a32_15_15_18_17", "KV260",
         "for Pynq-Z1, Pynq-Z2; would fit KV260, but is not described for it"),
    ],
)  # fmt: skip
def test_why_not_names_what_a_board_lacks(name, board, reason):
    assert why_not(find_variant(name), get_board(board)) == reason


def test_why_not_of_a_variant_for_every_board_is_nothing():
    assert all(why_not(OWN, get_board(name)) is None for name in OWN.boards)
