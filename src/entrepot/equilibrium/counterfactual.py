"""The counterfactual World: the table the new equilibrium implies."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from entrepot.equilibrium.economy import Economy
from entrepot.equilibrium.outcome import State, duties
from entrepot.world.world import Satellite, World

STOCKS = "stocks drawn down"
"""The final-use category that holds sales out of stock in a counterfactual World."""


def counterfactual_world(
    world: World, e: Economy, state: State, provenance: dict[str, Any]
) -> World:
    """A balanced World holding the new flows, million USD relative to world value added.

    Every user has the sourcing mix of its group. By user, the world without a
    shock is the table itself, cell by cell; by sector, cells follow the common
    mix while every row and column total stays, and sales out of stock stand in
    a category of their own. Duties and export taxes appear as net product taxes
    of whoever pays them; the tariffs in force are attached.
    """
    n, s = len(world.regions), len(world.sectors)
    categories = world.final_categories
    c = len(categories)
    made = e.wide(state.pi).copy()  # producer's part of spending (s, n, u, n)
    for rate in (state.t, state.x):
        if rate.any():
            made /= 1 + e.wide(rate)
    bought = state.g * state.Y[None]  # duty-paid inputs [input, using, region]
    final_spending = e.by_bundle(state.alpha) * state.I  # (s, f, n)
    mix = _mix(world, e)
    flows = np.empty((n, s, n, s))
    final = np.zeros((n, s, n, c))
    on_inputs, final_duties = np.zeros((s, n)), np.zeros((n, c))
    users = [0] * s if e.shared_inputs else list(range(s))
    for r in range(s):
        flows[:, r] = (made[r][:, users] * bought[r]).transpose(0, 2, 1)
        on_inputs += bought[r] * (1 - made[r].sum(0)[users])
        for f, u in enumerate(e.final_users):
            spent = final_spending[r, f, :, None] * mix[r, f]  # (n, c)
            final[:, r] += made[r][:, u, :, None] * spent
            final_duties += (1 - made[r][:, u].sum(0))[:, None] * spent
    product_tax = e.omega * bought.sum(0)
    T_inputs = (on_inputs + product_tax).T
    T_final = final_duties + _final_taxes(world, e, mix) * (state.I / e.I)[:, None]
    if e.inventories.any():
        drawn = e.inventories * state.c[:, :, None]
        if not e.shared_inputs:  # a cell either buys or draws
            kept = np.minimum(world.F, 0).reshape(n, s, n, c)
            whole = kept.sum(3).transpose(1, 0, 2)
            share = np.divide(drawn, whole, out=np.zeros_like(drawn), where=whole < 0)
            final += kept * share.transpose(1, 0, 2)[..., None]
        else:  # a cell cannot hold both purchases and sales out of stock
            if STOCKS not in categories:
                categories = (*categories, STOCKS)
                final = np.concatenate([final, np.zeros((n, s, n, 1))], axis=3)
                T_final = np.concatenate([T_final, np.zeros((n, 1))], axis=1)
            final[..., categories.index(STOCKS)] += drawn.transpose(1, 0, 2)
    V = (state.va * state.Y).T
    old_v = world.V.reshape(-1, n, s)
    whole = old_v.sum(0)
    parts = np.divide(old_v, whole, out=np.zeros_like(old_v), where=whole > 0)
    parts[0][whole <= 0] = 1.0
    satellites = {}
    paid = duties(e, state, state.t, state.x)
    for name, rates, taken, on in (
        ("tariffs", state.t, paid[0], state.border),
        ("export_taxes", state.x, paid[1], state.N),
    ):
        if rates.any():
            common = rates.shape[2] == n
            mean = np.divide(taken, on, out=np.zeros_like(taken), where=on > 0)
            satellites[name] = Satellite(
                rates if common else mean,
                ("sector", "origin", "destination"),
                "ad-valorem fraction",
                f"in force in {provenance.get('scenario', 'the counterfactual')}"
                + ("" if common else ", users together"),
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


def _mix(world: World, e: Economy) -> np.ndarray:
    """How each final bundle is spread over the world's categories (s, f, n, c)."""
    n, s, c = len(world.regions), len(world.sectors), len(world.final_categories)
    if not e.shared_inputs:  # a bundle is a category
        return np.broadcast_to(np.eye(c)[:, None, :], (s, c, n, c))
    old = np.maximum(world.F, 0).reshape(n, s, n, c).sum(0)  # [sector, region, category]
    total = old.sum(2, keepdims=True)
    mix = np.divide(old, total, out=np.zeros_like(old), where=total > 0)
    mix[(total[..., 0] <= 0)] = np.eye(c)[0]
    return mix[:, None]


def _final_taxes(world: World, e: Economy, mix: np.ndarray) -> np.ndarray:
    """Base product taxes on final use apart from duties, which the model recomputes."""
    if world.taxes != "separate" or not world.T_final.any():
        return np.zeros_like(world.T_final)
    made = e.wide(e.pi)
    for rate in (e.t, e.x):
        if rate.any():
            made = made / (1 + e.wide(rate))
    kept = made[:, :, list(e.final_users)].sum(1)  # (s, f, n)
    paid = e.by_bundle(e.alpha) * e.I * (1 - np.where(e.by_bundle(e.final(e.X)) > 0, kept, 1.0))
    return np.asarray(world.T_final - np.einsum("rfd,rfdc->dc", paid, mix))
