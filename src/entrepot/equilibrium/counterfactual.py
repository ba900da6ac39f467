"""The counterfactual World: the table the new equilibrium implies."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from entrepot.equilibrium.economy import Economy
from entrepot.equilibrium.outcome import State
from entrepot.world.world import Satellite, World

STOCKS = "stocks drawn down"
"""The final-use category that holds sales out of stock in a counterfactual World."""


def counterfactual_world(
    world: World, e: Economy, state: State, provenance: dict[str, Any]
) -> World:
    """A balanced World holding the new flows, million USD relative to world value added.

    Every buyer of a sector in a region has the same sourcing mix (trade shares
    by sector), so even without a shock cells follow that mix while every row
    and column total stays. Sales out of stock stand in a category of their own.
    Duties and export taxes appear as net product taxes of whoever pays them;
    the tariffs in force are attached.
    """
    n, s = len(world.regions), len(world.sectors)
    c = len(world.final_categories)
    made_share = np.divide(
        state.N, state.X[:, None, :], out=np.zeros_like(state.N), where=state.X[:, None, :] > 0
    )
    bought = state.g * state.Y[None]  # duty-paid inputs [input, using, region]
    flows = np.einsum("rod,rkd->ordk", made_share, bought)
    final_spending = e.alpha * state.I
    old_final = np.maximum(world.F, 0).reshape(n, s, n, c).sum(0)  # [sector, region, category]
    total = old_final.sum(2, keepdims=True)
    mix = np.divide(old_final, total, out=np.zeros_like(old_final), where=total > 0)
    mix[(total[..., 0] <= 0)] = np.eye(c)[0]
    final = np.einsum("rod,rd,rdc->ordc", made_share, final_spending, mix)
    duties = (bought * (1 - made_share.sum(1))[:, None, :]).sum(0)
    product_tax = e.omega * bought.sum(0)
    T_inputs = (duties + product_tax).T
    final_duties = np.einsum("rd,rdc->dc", final_spending * (1 - made_share.sum(1)), mix)
    T_final = final_duties + _final_taxes(world, e, mix) * (state.I / e.I)[:, None]
    categories = world.final_categories
    if e.inventories.any():  # a cell cannot hold both purchases and sales out of stock
        if STOCKS not in categories:
            categories = (*categories, STOCKS)
            final = np.concatenate([final, np.zeros((n, s, n, 1))], axis=3)
            T_final = np.concatenate([T_final, np.zeros((n, 1))], axis=1)
        drawn = e.inventories * state.c[:, :, None]
        final[..., categories.index(STOCKS)] += drawn.transpose(1, 0, 2)
    V = (e.va * state.Y).T
    old_v = world.V.reshape(-1, n, s)
    whole = old_v.sum(0)
    parts = np.divide(old_v, whole, out=np.zeros_like(old_v), where=whole > 0)
    parts[0][whole <= 0] = 1.0
    satellites = {}
    for name, values in (("tariffs", state.t), ("export_taxes", state.x)):
        if values.any():
            satellites[name] = Satellite(
                values,
                ("sector", "origin", "destination"),
                "ad-valorem fraction",
                f"in force in {provenance.get('scenario', 'the counterfactual')}",
            )
    separate = bool(T_inputs.any() or T_final.any())
    return replace(
        world,
        name=f"{world.name} after {provenance.get('scenario', 'a shock')}",
        Z=flows.reshape(n * s, n * s),
        F=final.reshape(n * s, n, len(categories)),
        V=(parts * V).reshape(len(old_v), n * s),
        margins={},  # counted as value added by `calibrate`
        T_inputs=T_inputs.reshape(n * s) if separate else np.zeros(n * s),
        T_final=T_final if separate else np.zeros_like(T_final),
        final_categories=categories,
        taxes="separate" if separate else world.taxes,
        satellites=satellites,
        provenance={**world.provenance, "counterfactual": provenance},
        rtol=1e-6,
        atol=max(world.atol, 1e-9 * float(state.Y.sum())),
    )


def _final_taxes(world: World, e: Economy, mix: np.ndarray) -> np.ndarray:
    """Base product taxes on final use apart from duties, which the model recomputes."""
    if world.taxes != "separate" or not world.T_final.any():
        return np.zeros_like(world.T_final)
    share = np.divide(e.N, e.X[:, None, :], out=np.zeros_like(e.N), where=e.X[:, None, :] > 0).sum(
        1
    )
    duties = e.alpha * e.I * (1 - np.where(e.X > 0, share, 1.0))
    return np.asarray(world.T_final - np.einsum("rd,rdc->dc", duties, mix))
