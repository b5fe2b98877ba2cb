"""Labels: near their points, and none over another."""

from __future__ import annotations

import itertools
import random

import pytest

from vta_pynq.profile.placing import place_labels

BOUNDS = (0.0, 0.0, 600.0, 400.0)


def _overlap(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _box(centre, size):
    (x, y), (w, h) = centre, size
    return x - w / 2, y - h / 2, x + w / 2, y + h / 2


def test_place_labels_lone_point_has_its_label_above():
    assert place_labels([(300, 200)], [(20, 10)], [], BOUNDS, 5) == [(300, 210)]


@pytest.mark.parametrize("seed", range(3))
def test_place_labels_crowded_points_do_not_overlap(seed):
    print(f"seed {seed}")
    rng = random.Random(seed)
    points = [(rng.uniform(240, 320), rng.uniform(180, 230)) for _ in range(25)]
    sizes = [(rng.choice([12.0, 20.0]), 11.0)] * 25
    marks = [(x - 3, y - 3, x + 3, y + 3) for x, y in points]
    places = place_labels(points, sizes, marks, BOUNDS, 5)
    boxes = [_box(place, size) for place, size in zip(places, sizes, strict=True)]
    assert not any(_overlap(a, b) for a, b in itertools.combinations(boxes, 2))
    assert not any(_overlap(box, mark) for box in boxes for mark in marks)
    assert all(box[0] >= 0 and box[1] >= 0 and box[2] <= 600 and box[3] <= 400 for box in boxes)


def test_place_labels_without_any_room_stay_at_their_point():
    everything = [BOUNDS]
    assert place_labels([(300, 200)], [(20, 10)], everything, BOUNDS, 5) == [(300, 210)]
