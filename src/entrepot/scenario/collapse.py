"""A question put to a simpler table: one sector, or no inputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import ScenarioError
from entrepot.core.tables import Margin
from entrepot.equilibrium.shock import TradeShock
from entrepot.scenario.lower import Lowered
from entrepot.scenario.variants import ModelVariant
from entrepot.world.aggregate import aggregate
from entrepot.world.world import World, trade_flows

Array = NDArray[np.float64]

ONE = "all"


def collapsed(lowered: Lowered, variant: ModelVariant) -> Lowered:
    """The same question on the table that a variant asks for; unchanged where it asks for none."""
    n = len(lowered.world.regions)
    if (variant.one_sector or variant.without_inputs) and lowered.shock.t.shape[2] != n:
        raise ScenarioError(
            "a change with `users` cannot be put to a table of one sector or without inputs; use "
            "another variant."
        )
    if variant.one_sector:
        lowered = one_sector(lowered)
    if variant.without_inputs:
        world = without_inputs(lowered.world)
        note = "without inputs: all sales are final, and value added is output"
        lowered = replace(lowered, world=world, notes=(*lowered.notes, note))
    return lowered


def one_sector(lowered: Lowered) -> Lowered:
    """One sector: flows summed; changes averaged as amounts at base flows, theta by trade.

    Tariffs, export taxes and trade costs are averaged by sales before duty,
    productivity by output; theta is the mean by cross-border sales.
    Raises ScenarioError for an embargo of some sectors only.
    """
    world, shock = lowered.world, lowered.shock
    sales, _ = trade_flows(world)
    live = sales > 0
    cut = np.asarray((shock.embargo & live).any(0))
    partly = cut & np.asarray((~shock.embargo & live).any(0))
    if partly.any():
        o, d = np.argwhere(partly)[0]
        raise ScenarioError(
            f"with one sector, an embargo of some sectors cannot be put (from {world.regions[o]} to "
            f"{world.regions[d]}); use a variant with many sectors."
        )
    whole = sales.sum(0)
    plain = np.full_like(sales, 1 / len(sales))
    by_flow = np.divide(sales, whole, out=plain, where=whole > 0)
    made = world.x.reshape(len(world.regions), -1).T
    by_output = made / np.where(made.sum(0) > 0, made.sum(0), 1)
    # Stated by parts: one label for all sectors keeps the satellites' own means.
    small = aggregate(world, sectors=dict.fromkeys(world.sector_codes, ONE))

    def rate(name: str, new: Array) -> Array:
        satellites = world.satellites
        old = satellites[name].values if name in satellites else np.zeros_like(new)
        base = small.satellites[name].values if name in satellites else np.zeros((1, *whole.shape))
        return np.asarray(base + (by_flow * (new - old)).sum(0))

    def mean(values: Array) -> Array:
        return np.asarray((by_flow * values).sum(0)[None])

    trade = (sales * ~world.one_economy).sum((1, 2))
    theta = float(trade @ lowered.theta / trade.sum())
    return replace(
        lowered,
        world=small,
        shock=TradeShock(
            t=rate("tariffs", shock.t),
            x=rate("export_taxes", shock.x),
            tau=np.where((shock.tau == 1).all(0), 1.0, mean(shock.tau)),
            embargo=cut[None],
            A=np.where((shock.A == 1).all(0), 1.0, (by_output * shock.A).sum(0))[None],
            L=shock.L,
        ),
        theta=np.array([theta]),
        theta_name=f"{theta:.4g}, the mean by trade of {lowered.theta_name}",
        notes=(*lowered.notes, "one sector: changes are means over sectors at base flows"),
    )


def without_inputs(world: World) -> World:
    """The same sales, all of them final, and output made by value added alone.

    Inputs a region buys join its first final-use category (stocks drawn down stay apart);
    product taxes and margins on inputs become value added.
    """
    n, s = len(world.regions), len(world.sectors)
    bought = world.Z.reshape(n * s, n, s).sum(2)
    c = len(world.final_categories)
    F = np.concatenate([world.F, bought[:, :, None]], axis=2)
    name = "bought as inputs"
    while name in world.final_categories:
        name += "'"
    V = np.zeros_like(world.V)
    V[0] = world.x
    return replace(
        world,
        Z=np.zeros_like(world.Z),
        F=F,
        V=V,
        T_inputs=np.zeros_like(world.T_inputs),
        T_final=np.concatenate([world.T_final, np.zeros((n, 1))], axis=1),
        final_categories=(*world.final_categories, name),
        margins={
            key: Margin(
                np.zeros_like(m.inputs),
                np.concatenate([m.final, np.zeros((n, 1))], axis=1)
                if m.final.shape == (n, c)
                else m.final,
            )
            for key, m in world.margins.items()
        },
    )
