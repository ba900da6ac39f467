"""Entrepôt: an open-economy laboratory.

    import entrepot as ep

    world = ep.load_world("world-2022")
    scenario = ep.read_scenario("examples/opening.yaml")
    result = ep.run(world, scenario)
    result.regions.sort_values("welfare_pct")

Importing is cheap: each name is loaded when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from entrepot.core.version import __version__

_HOME = {
    "World": "entrepot.world.world",
    "attach": "entrepot.world.world",
    "aggregate": "entrepot.world.aggregate",
    "group_concordance": "entrepot.world.aggregate",
    "split_region": "entrepot.world.split",
    "split_sector": "entrepot.world.split",
    "attach_table": "entrepot.world.satellites",
    "uncovered": "entrepot.world.satellites",
    "load_world": "entrepot.world.shelf",
    "save_world": "entrepot.world.shelf",
    "open_zarr": "entrepot.world.zarr",
    "RawTable": "entrepot.sources.raw",
    "read_table": "entrepot.sources.formats",
    "audit": "entrepot.world.audit",
    "build": "entrepot.world.build",
    "rebalance": "entrepot.world.rebalance",
    "ras": "entrepot.world.balance",
    "gras": "entrepot.world.balance",
    "least_squares": "entrepot.world.balance",
    "Series": "entrepot.world.series",
    "open_series": "entrepot.world.series",
    "deflate": "entrepot.world.series",
    "Scenario": "entrepot.scenario.model",
    "Change": "entrepot.scenario.model",
    "Assumptions": "entrepot.scenario.model",
    "read_scenario": "entrepot.scenario.read",
    "read_elasticities": "entrepot.scenario.elasticities",
    "run": "entrepot.results.run",
    "Result": "entrepot.results.run",
    "Sweep": "entrepot.scenario.sweep",
    "Parameter": "entrepot.scenario.sweep",
    "read_sweep": "entrepot.scenario.sweep",
    "run_sweep": "entrepot.results.sweep",
    "SweepResult": "entrepot.results.sweep",
    "gradient_of": "entrepot.results.linear",
    "response_of": "entrepot.results.linear",
    "compare": "entrepot.results.compare",
    "robustness": "entrepot.results.robustness",
    "write_result": "entrepot.report.write",
    "profile": "entrepot.measure.profile",
    "Profile": "entrepot.measure.profile",
    "EntrepotError": "entrepot.core.errors",
}

__all__ = [*sorted(_HOME), "__version__"]

if TYPE_CHECKING:
    from entrepot import measure as measure
    from entrepot.core.errors import EntrepotError as EntrepotError
    from entrepot.measure.profile import Profile as Profile
    from entrepot.measure.profile import profile as profile
    from entrepot.report.write import write_result as write_result
    from entrepot.results.compare import compare as compare
    from entrepot.results.linear import gradient_of as gradient_of
    from entrepot.results.linear import response_of as response_of
    from entrepot.results.robustness import robustness as robustness
    from entrepot.results.run import Result as Result
    from entrepot.results.run import run as run
    from entrepot.results.sweep import SweepResult as SweepResult
    from entrepot.results.sweep import run_sweep as run_sweep
    from entrepot.scenario.elasticities import read_elasticities as read_elasticities
    from entrepot.scenario.model import Assumptions as Assumptions
    from entrepot.scenario.model import Change as Change
    from entrepot.scenario.model import Scenario as Scenario
    from entrepot.scenario.read import read_scenario as read_scenario
    from entrepot.scenario.sweep import Parameter as Parameter
    from entrepot.scenario.sweep import Sweep as Sweep
    from entrepot.scenario.sweep import read_sweep as read_sweep
    from entrepot.sources.formats import read_table as read_table
    from entrepot.sources.raw import RawTable as RawTable
    from entrepot.world.aggregate import aggregate as aggregate
    from entrepot.world.aggregate import group_concordance as group_concordance
    from entrepot.world.audit import audit as audit
    from entrepot.world.balance import gras as gras
    from entrepot.world.balance import least_squares as least_squares
    from entrepot.world.balance import ras as ras
    from entrepot.world.build import build as build
    from entrepot.world.rebalance import rebalance as rebalance
    from entrepot.world.satellites import attach_table as attach_table
    from entrepot.world.satellites import uncovered as uncovered
    from entrepot.world.series import Series as Series
    from entrepot.world.series import deflate as deflate
    from entrepot.world.series import open_series as open_series
    from entrepot.world.shelf import load_world as load_world
    from entrepot.world.shelf import save_world as save_world
    from entrepot.world.split import split_region as split_region
    from entrepot.world.split import split_sector as split_sector
    from entrepot.world.world import World as World
    from entrepot.world.world import attach as attach
    from entrepot.world.zarr import open_zarr as open_zarr


def __getattr__(name: str) -> Any:
    if name == "measure":
        return import_module("entrepot.measure")
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'entrepot' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME, "measure"})
