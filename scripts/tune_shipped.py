"""Tune the topologies of the examples and write the schedules that come with the package.

python scripts/tune_shipped.py [--trials N] [--workers N] [--target PROFILE] [MODEL...]

A layer or network that is shipped already is where the search begins, so a run after a change of
the compiler brings the file up to date, and further runs can only improve it. Whatever is not among
the models and the target that were asked for stays as it is.
"""

from __future__ import annotations

import argparse
import pathlib
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from examples.models.topologies import TOPOLOGIES, build  # noqa: E402
from host_compiler.compile import load_graph, make_target  # noqa: E402
from host_compiler.quantize import quantize_model  # noqa: E402
from host_compiler.tune.book import SHIPPED, ScheduleBook  # noqa: E402
from host_compiler.tune.database import Database  # noqa: E402
from host_compiler.tune.report import report_text  # noqa: E402
from host_compiler.tune.session import tune_graph  # noqa: E402
from host_compiler.tune.workers import Workers  # noqa: E402
from vta_pynq.config import HwConfig  # noqa: E402
from vta_pynq.overlay.descriptions import variants  # noqa: E402
from vta_pynq.timing import DEFAULT_PROFILE  # noqa: E402

SHIPPED_FILE = ROOT / "host_compiler" / "tune" / "schedules.json"
CONFIGS = {
    variant.profile.name: variant.config.name
    for variant in variants()
    if variant.config.base_name == HwConfig().base_name
} | {DEFAULT_PROFILE: HwConfig().name}
"""The configuration that is tuned for each profile: the sizes of the published builds."""


def quantised(name: str) -> bytes:
    """A topology in int8 with power-of-two scales; its schedules do not depend on the images."""
    model = build(name)
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    chance = np.random.default_rng(sum(map(ord, name)))
    images = chance.uniform(-1, 1, (2, *shape[1:])).astype(np.float32)
    data: bytes = quantize_model(model, images).model.SerializeToString()
    return data


def merged(found: ScheduleBook, targets: set[tuple[str, str]], whole: bool) -> ScheduleBook:
    """What is shipped from now on: `found`, and what it does not replace.

    `whole` says that all models were tuned, so that nothing else of these targets is kept.
    """
    old = ScheduleBook.load(SHIPPED)

    def keep(config: str, profile: str) -> bool:
        return not whole or (config, profile) not in targets

    layers = {e.key: e for e in old.layers if keep(e.key.config, e.key.profile)}
    networks = {e.key: e for e in old.networks if keep(e.key.config, e.key.profile)}
    layers |= {entry.key: entry for entry in found.layers}
    networks |= {entry.key: entry for entry in found.networks}
    return ScheduleBook(layers.values(), networks.values())


def main() -> int:
    """Tune, print each model's table, write the file after each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", metavar="MODEL", nargs="*", help=", ".join(TOPOLOGIES))
    parser.add_argument("--target", choices=CONFIGS, action="append", help="default: all")
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--database", default=str(ROOT / "build" / "shipped.sqlite"))
    options = parser.parse_args()
    names = options.models or list(TOPOLOGIES)
    profiles = options.target or list(CONFIGS)
    targets = {(CONFIGS[profile], profile) for profile in profiles}
    pathlib.Path(options.database).parent.mkdir(exist_ok=True)
    with Database(options.database) as database, Workers(options.workers) as workers:
        for name in names:
            graph = load_graph(quantised(name))
            graph.name = name
            for profile in profiles:
                target = make_target(CONFIGS[profile], profile)
                tuning = tune_graph(
                    graph, target, workers, database,
                    trials=options.trials, seed=options.seed, progress=True,
                )  # fmt: skip
                print(f"{name} on {profile}\n{report_text(tuning)}\n", flush=True)
                book = ScheduleBook(database.layers(), database.networks())
                merged(book, targets, False).save(SHIPPED_FILE)
        if not options.models:
            book = ScheduleBook(database.layers(), database.networks())
            merged(book, targets, True).save(SHIPPED_FILE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
