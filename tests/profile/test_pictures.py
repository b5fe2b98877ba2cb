"""Pictures: axes, units, and artists that stand where the numbers say."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tests.profile.sources import kernel_run, program_run
from vta_pynq.config import HwConfig
from vta_pynq.errors import ConfigError
from vta_pynq.isa.table import Module
from vta_pynq.profile import (
    OperatorTimes,
    bandwidth_roofs,
    bars_picture,
    machine_picture,
    occupancy_picture,
    roofline_picture,
    sram_occupancy,
    timeline_picture,
)
from vta_pynq.profile.occupancy import MEMORIES
from vta_pynq.profile.occupancy_picture import occupancy_steps
from vta_pynq.profile.picture import PALETTE, WAIT_COLOURS, check_picture_path, text_colour
from vta_pynq.profile.roofline import HIDDEN, SERIAL, roofline_layers
from vta_pynq.profile.timeline import KINDS, Window, is_wait, spans_of, window_of
from vta_pynq.timing import StallReason


def _texts(picture):
    return [t.get_text() for axes in picture.axes for t in axes.texts] + [
        t.get_text() for t in picture.figure.texts
    ]


# ---- roofline ----------------------------------------------------------------------------


def test_roofline_has_a_pair_of_points_for_each_layer():
    run = program_run()
    picture = roofline_picture(run)
    axes, _ = picture.axes
    series = {line.get_label(): line for line in axes.lines}
    layers = roofline_layers(run)
    assert [layer.name for layer in layers] == ["product", "last"]
    for label, cycles in ((HIDDEN, "cycles"), (SERIAL, "serial_cycles")):
        x, y = series[label].get_data()
        assert x.tolist() == [layer.intensity for layer in layers]
        # operations per cycle times 100 MHz, in 10^9 operations a second
        assert y == pytest.approx([layer.ops / getattr(layer, cycles) * 0.1 for layer in layers])
    assert axes.get_xlabel() == "operational intensity (operations per byte of DRAM traffic)"
    assert axes.get_ylabel() == "attained performance (GOPS, 10⁹ operations per second)"
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")


def test_roofline_draws_every_roof_up_to_its_ridge():
    run = program_run()
    axes, _ = roofline_picture(run).axes
    lines = [line for line in axes.lines if line.get_label() not in (HIDDEN, SERIAL)]
    *slopes, top = lines
    assert len(slopes) == len(bandwidth_roofs(run)) == 3
    for line, roof in zip(slopes, bandwidth_roofs(run), strict=True):
        x, y = line.get_data()
        assert y == pytest.approx(roof.gb_s * np.array(x))
        assert y[-1] == pytest.approx(run.peak_gops)
    assert list(top.get_ydata()) == [run.peak_gops] * 2
    assert "matrix unit: 51.2 GOPS" in _texts(roofline_picture(run))


def test_roofline_names_of_roofs_lie_along_them():
    picture = roofline_picture(kernel_run())
    axes, _ = picture.axes
    names = [text for text in axes.texts if "GB/s" in text.get_text()]
    (x0, y0), (x1, y1) = axes.transData.transform([(1, 0.4), (100, 40)])
    assert len(names) == 3
    for text in names:
        assert text.get_rotation() == pytest.approx(np.degrees(np.arctan2(y1 - y0, x1 - x0)))


def test_roofline_numbers_its_points_and_names_them():
    run = program_run()
    axes, side = roofline_picture(run).axes
    assert {"2", "3"} <= {text.get_text() for text in axes.texts}
    key = [text.get_text() for text in side.texts]
    assert key == [
        "layer", "kcycles", "2", "product", f"{run.layer('2').cycles / 1e3:.1f}", "3", "last",
        f"{run.layer('3').cycles / 1e3:.1f}",
    ]  # fmt: skip


def test_roofline_caption_says_what_was_timed_and_what_is_left_out():
    caption = roofline_picture(program_run()).figure.texts[0].get_text()
    assert program_run().heading in caption
    assert "one at a time" in caption
    assert "Without a multiply-accumulate, not shown: 1 (0.6 kcycles)." in caption


# ---- bars --------------------------------------------------------------------------------

_PROCESSOR = OperatorTimes({"pack": 0.002, "unpack": 0.001}, "some machine", "measured somehow")
_WITHOUT = OperatorTimes({"Conv": 0.03, "MaxPool": 0.01}, "some machine", "measured otherwise")


def test_bars_are_as_long_as_the_times():
    run = program_run()
    picture = bars_picture(run, processor=_PROCESSOR, without=_WITHOUT)
    (axes,) = picture.axes
    by_row = {}
    for patch in axes.patches:
        y = round(patch.get_y() + patch.get_height() / 2)
        by_row.setdefault(y, []).append((patch.get_x(), patch.get_width()))
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "processor alone", "with the accelerator",
    ]  # fmt: skip
    assert [width for _, width in by_row[0]] == pytest.approx([30, 10])  # convolution, pooling
    accelerator_ms = run.clock.us(run.cycles) / 1e3
    widths = [width for _, width in by_row[1]]
    assert sum(widths[:-1]) == pytest.approx(accelerator_ms)
    assert widths[-1] == pytest.approx(3)
    for parts in by_row.values():
        at = 0.0
        for x, width in parts:
            assert x == pytest.approx(at)
            at += width
    assert axes.get_xlabel() == "time of one run (ms)"


def test_bars_say_whose_times_they_are():
    run = program_run()
    texts = _texts(bars_picture(run, processor=_PROCESSOR, without=_WITHOUT))
    caption = texts[-1]
    assert "Accelerator: modelled by the cycle model, hls-64bit at 100 MHz" in caption
    assert "Processor beside it: measured somehow, on some machine." in caption
    assert "Processor alone: measured otherwise, on some machine." in caption
    assert "not of a board's ARM" in caption
    assert "40 ms" in texts


def test_bars_kernel_has_no_processor_part():
    picture = bars_picture(kernel_run())
    assert len(picture.axes[0].patches) == 1
    assert "Processor" not in _texts(picture)[-1]


# ---- timeline ----------------------------------------------------------------------------


def _bars(axes):
    """Begin, width, row, height and colour of each bar."""
    found = []
    for collection in axes.collections:
        colour = tuple(np.round(collection.get_facecolor()[0], 3))
        for path in collection.get_paths():
            box = path.get_extents()
            found.append((box.x0, box.width, (box.y0 + box.y1) / 2, box.height, colour))
    return found


def test_timeline_bars_are_the_spans():
    run = program_run()
    (axes,) = timeline_picture(run).axes
    rows = {Module.FETCH: 3, Module.LOAD: 2, Module.COMPUTE: 1, Module.STORE: 0}
    bars = [bar for bar in _bars(axes) if bar[2] < 3.2]  # the band of layers lies above
    drawn = sorted((round(x * 100), round(w * 100), round(y), h > 0.5) for x, w, y, h, _ in bars)
    spans = spans_of(run)
    expected = sorted(
        (begin, end - begin, rows[Module(module)], not is_wait(kind))
        for module, kind, begin, end, _ in spans.tolist()
    )
    assert drawn == expected
    assert axes.get_xlabel() == "time (µs at 100 MHz)"
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["store", "compute", "load", "fetch", "layer"]


def test_timeline_waits_have_the_colour_of_their_reason():
    from matplotlib.colors import to_rgba

    run = kernel_run()
    (axes,) = timeline_picture(run).axes
    data = tuple(np.round(to_rgba(WAIT_COLOURS[StallReason.L2G]), 3))
    drawn = [(round(x * 100), round(w * 100)) for x, w, y, _, c in _bars(axes) if c == data]
    spans = spans_of(run)
    chosen = spans[[KINDS[k] is StallReason.L2G for k in spans["kind"].tolist()]]
    assert sorted(drawn) == [(s["begin"], s["end"] - s["begin"]) for s in chosen]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert "waits for data" in labels and "GEMM" in labels


def test_timeline_of_a_layer_shows_its_window():
    run = program_run()
    layer = run.layer("product")
    (axes,) = timeline_picture(run, layer="product").axes
    assert axes.get_xlim() == pytest.approx((layer.begin / 100, layer.end / 100))
    assert axes.get_title(loc="left") == "small: layer 2, product"


# ---- occupancy ---------------------------------------------------------------------------


def test_occupancy_stairs_are_the_live_bytes():
    run = program_run()
    _, *rows = occupancy_picture(run).axes
    found = sram_occupancy(run)
    for axes, memory in zip(rows, MEMORIES, strict=True):
        occupancy = found[memory]
        (stairs,) = axes.patches
        values, edges, _ = stairs.get_data()
        times, live = occupancy_steps(occupancy, window_of(run))
        assert edges * 100 == pytest.approx(times)
        assert values * 1024 == pytest.approx(live[:-1] * occupancy.element_bytes)
        assert axes.get_ylabel() == f"{memory.name}\n(KiB)"
        (text,) = (t.get_text() for t in axes.texts)
        assert f"at most {occupancy.peak} live" in text
        assert text.endswith(f" KiB, {100 * occupancy.peak / occupancy.depth:.3g} %")
    assert rows[-1].get_xlabel() == "time (µs at 100 MHz)"


def test_occupancy_steps_many_changes_keep_the_peak():
    run = kernel_run()
    occupancy = sram_occupancy(run)[MEMORIES[0]]
    window = Window(0, run.cycles, "")
    changes = np.arange(1, 5001) * 4
    many = type(occupancy)(
        occupancy.memory, 2048, 16, changes, (np.arange(5000) % 7 == 3) * 90 + changes % 5
    )
    times, live = occupancy_steps(many, window)
    assert len(times) == len(live) <= 1000
    assert live.max() == many.peak
    assert times[0] == 0 and times[-1] == run.cycles


# ---- all of them -------------------------------------------------------------------------


def test_picture_bytes_are_reproducible_and_undated():
    first, second = (bars_picture(program_run(), processor=_PROCESSOR) for _ in range(2))
    svg, png = first.to_bytes("svg"), first.to_bytes("png")
    assert svg == second.to_bytes("svg") == first.to_bytes("svg")
    assert png == second.to_bytes("png")
    assert not re.search(rb"dc:date|20[0-9]{2}-[0-9]{2}", svg)
    assert first._repr_png_() == png and png.startswith(b"\x89PNG")


def test_picture_save_writes_by_suffix(tmp_path):
    picture = bars_picture(program_run(), processor=_PROCESSOR)
    picture.save(tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_bytes() == picture.to_bytes("svg")
    with pytest.raises(ConfigError) as caught:
        check_picture_path(tmp_path / "a.pdf")
    assert str(caught.value) == (
        f"picture {tmp_path / 'a.pdf'}: suffix must be .png or .svg, not '.pdf'"
    )
    with pytest.raises(ConfigError, match="folder .* must exist; create it first"):
        check_picture_path(tmp_path / "none" / "a.png")


@pytest.mark.parametrize(
    ("colour", "text"), [(PALETTE["yellow"], "#1a1a1a"), (PALETTE["blue"], "white")]
)
def test_text_colour_is_readable(colour, text):
    assert text_colour(colour) == text


def test_picture_is_shown_by_notebooks():
    from IPython.core.formatters import DisplayFormatter

    picture = bars_picture(program_run(), processor=_PROCESSOR)
    data, _ = DisplayFormatter().format(picture)
    assert data["image/png"] == picture.to_bytes("png")


# ---- machine -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "grid", "accumulators", "weights"),
    [
        ("1x16_i8w8a32_15_15_18_17", "16 x 16 multipliers", "2048 of 16 x int32", "256 KiB"),
        ("4x8_i8w8a32_15_16_16_18", "32 x 8 multipliers", "2048 of 32 x int32", "64 KiB"),
    ],
)
def test_machine_shows_the_sizes_of_the_configuration(name, grid, accumulators, weights):
    picture = machine_picture(HwConfig.from_name(name))
    (axes,) = picture.axes
    assert axes.get_title(loc="left") == f"VTA, configuration {name}"
    texts = "\n".join(_texts(picture))
    assert grid in texts and accumulators in texts
    assert weights in next(t for t in _texts(picture) if t.startswith("weights"))


def test_machine_texts_lie_within_their_boxes():
    picture = machine_picture(HwConfig())
    (axes,) = picture.axes
    picture.to_bytes()  # lays the texts out
    boxes = [patch.get_window_extent() for patch in axes.patches]
    for text in axes.texts:
        extent = text.get_window_extent()
        holders = [box for box in boxes if box.contains(*extent.p0) and box.contains(*extent.p1)]
        overlapped = [box for box in boxes if box.overlaps(extent)]
        assert not text.get_text() or holders or not overlapped, text.get_text()
