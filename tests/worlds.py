"""Random balanced worlds, economies and shocks, and small helpers, all from explicit seeds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from entrepot.equilibrium.calibrate import calibrate
from entrepot.equilibrium.economy import Economy
from entrepot.equilibrium.outcome import base_state, certify, new_state
from entrepot.equilibrium.shock import TradeShock, no_shock
from entrepot.equilibrium.solve import solve
from entrepot.equilibrium.welfare import welfare
from entrepot.world.world import Sector, World, attach

TIGHT = 1e-11


def random_world(
    seed,
    n=3,
    s=2,
    *,
    density=1.0,
    empty=0,
    dead_sector=False,
    product_taxes=0.0,
    inventories=0.0,
    tariffs=0.0,
    export_taxes=0.0,
    categories=1,
    home=6.0,
    inputs=0.6,
    in_value_added=False,
    spread=1.0,
):
    """A balanced World: final use and input coefficients drawn, output solved, value added the rest.

    `density` share of cross-border cells that are not zero; `empty` producers
    without output; `dead_sector` the last sector is made and used nowhere;
    `product_taxes` rates on inputs in +/- this (and half of it on final use);
    `inventories` the share of final cells with stock drawn; `inputs` the
    largest share of inputs in output.
    """
    rng = np.random.default_rng(seed)
    m = n * s
    size = np.exp(rng.normal(0, spread, n))
    # Gravity: sales in proportion to both sizes, so that no economy's deficit is out of proportion.
    near = np.exp(rng.normal(0, 0.5, (n, n))) * size[None, :] / size.sum()
    near += np.diag(np.full(n, home / n))
    open_ = rng.random((n, s, n)) < density
    open_[np.arange(n), :, np.arange(n)] = True
    made = np.ones((n, s), bool)
    for _ in range(empty):
        made[rng.integers(n), rng.integers(s)] = False
    if dead_sector and s > 1:
        made[:, -1] = False
    for o in range(n):  # every economy makes something
        if not made[o].any():
            made[o, 0] = True
    can = made[:, :, None] & open_  # (origin, sector, destination)
    trade = size[:, None, None, None] * near[:, None, :, None] * can[..., None]
    F = trade * rng.gamma(3, 1, (n, s, n, categories))
    A = trade * rng.gamma(3, 1, (n, s, n, s)) * (rng.random((n, s, n, s)) < 0.8)
    A *= made[None, None]
    A = A.reshape(m, m)
    column = A.sum(0)
    A = A / np.where(column > 0, column, 1) * rng.uniform(0.2, 1, m) * inputs
    F = F.reshape(m, n, categories)
    stock = np.zeros_like(F)
    if inventories:
        drawn = rng.random(F.shape) < inventories
        stock = -0.15 * F * rng.random(F.shape) * drawn
        if categories > 1:
            F[..., -1] = np.where(drawn[..., -1], 0, F[..., -1])
        F = np.where(drawn, stock, F) if categories == 1 else F
        if categories > 1:
            F[..., -1] = np.where(drawn[..., -1], stock[..., -1], F[..., -1])
        # A household must buy something where it draws stock.
        home_cell = F.reshape(n, s, n, categories)
        for d in range(n):
            for k in range(s):
                if made[d, k]:
                    home_cell[d, k, d, 0] = abs(home_cell[d, k, d, 0]) + size[d]
    x = np.linalg.solve(np.eye(m) - A, F.sum((1, 2)))
    F = F * 100
    x = x * 100
    Z = A * x[None]
    rate = rng.uniform(-1, 1, m) * product_taxes
    T = rate * Z.sum(0)
    V = x - Z.sum(0) - T
    T_final = 0.5 * product_taxes * np.maximum(F, 0).sum(0)
    if in_value_added:
        V, T, T_final = V + T, np.zeros(m), np.zeros_like(T_final)
    world = World(
        name=f"random-{seed}",
        year=2022,
        regions=tuple(f"R{i:02d}" for i in range(n)),
        sectors=tuple(Sector(f"S{k}", f"sector {k}") for k in range(s)),
        Z=Z,
        F=F,
        V=V[None],
        T_inputs=T,
        T_final=T_final,
        final_categories=tuple(f"f{c}" for c in range(categories)),
        taxes="in_value_added" if in_value_added else "separate",
    )
    dims = ("sector", "origin", "destination")
    away = 1 - np.eye(n)[None]
    if tariffs:
        rates = rng.uniform(0, tariffs, (s, n, n)) * away
        world = attach(world, "tariffs", rates, dims, "fraction", "drawn")
    if export_taxes:
        rates = rng.uniform(-export_taxes / 2, export_taxes, (s, n, n)) * away
        world = attach(world, "export_taxes", rates, dims, "fraction", "drawn")
    return world


def full_world(seed, n=3, s=2, **changes):
    """A world with everything in it: taxes, tariffs, export taxes, stocks, deficits."""
    options = {
        "product_taxes": 0.1,
        "inventories": 0.3,
        "tariffs": 0.3,
        "export_taxes": 0.1,
        "categories": 2,
    }
    return random_world(seed, n, s, **(options | changes))


def one_factor_world(seed, n=3, s=1):
    """No inputs, taxes or stocks."""
    return random_world(seed, n, s, inputs=0.0)


def off_diagonal(array):
    """A copy with home entries of (s, n, n) set to zero."""
    out = np.array(array, float)
    np.einsum("rdd->rd", out)[...] = 0
    return out


def random_shock(rng, e, size=0.2, instruments=("t", "x", "tau", "A", "L"), share=0.7):
    """Every named instrument moved at random by about `size`; signs mixed."""
    s, n = e.X.shape
    shock = no_shock(e)
    changes = {}

    def hit(shape):
        return rng.random(shape) < share

    if "t" in instruments:
        changes["t"] = e.t + off_diagonal(rng.uniform(0, size, (s, n, n)) * hit((s, n, n)))
    if "x" in instruments:
        changes["x"] = e.x + off_diagonal(
            rng.uniform(-size / 4, size / 2, (s, n, n)) * hit((s, n, n))
        )
    if "tau" in instruments:
        log = rng.uniform(-size, size, (s, n, n)) * hit((s, n, n))
        changes["tau"] = np.exp(off_diagonal(log))
    if "A" in instruments:
        changes["A"] = np.exp(rng.uniform(-size, size, (s, n)) * hit((s, n)))
    if "L" in instruments:
        changes["L"] = np.exp(rng.uniform(-size, size, n))
    return replace(shock, **changes)


def foreign_shock(rng, e, size=0.5):
    """Iceberg costs everywhere across borders; productivity and labour abroad of region 0."""
    shock = random_shock(rng, e, size, ("tau", "A", "L"))
    A, L = shock.A.copy(), shock.L.copy()
    A[:, 0], L[0] = 1, 1
    return replace(shock, A=A, L=L)


def outcome(e: Economy, shock: TradeShock, closure="world_share", tol=TIGHT):
    """(state, welfare) of a certified solve of an economy as it stands."""
    solution = solve(e, shock, closure=closure, tol=tol)
    state = new_state(e, shock, solution)
    certificate = certify(e, shock, state, tolerance=max(100 * tol, 1e-12))
    assert certificate.passed, certificate.worst
    return state, welfare(e, base_state(e), state)


def economy(world, theta=5.0, **rules):
    """Calibrated with one elasticity or one a sector."""
    s = len(world.sectors)
    return calibrate(world, np.broadcast_to(np.asarray(theta, float), (s,)).copy(), **rules)


def frictionless(shares, theta):
    """One sector, no inputs, free trade: an economy's share of every market is its size."""
    from entrepot.equilibrium.shares import economy_from_shares

    shares = np.asarray(shares, float)
    n = len(shares)
    return economy_from_shares(
        [f"R{i}" for i in range(n)],
        ["all"],
        trade=(shares[:, None] * shares[None, :])[None],
        tariffs=np.zeros((1, n, n)),
        inputs=np.zeros((1, 1, n)),
        value_added_shares=np.ones((1, n)),
        final_shares=np.ones((1, n)),
        theta=np.array([theta]),
    )


def real_wage_by_shares(e: Economy, base, state, A=None):
    """Real wage from home shares only (Costinot & Rodriguez-Clare 2014, eq. 28, by its own loop).

    ln(P/w) = (I - pays)^-1 (ln home-share-hat / theta - ln A): the Leontief
    inverse of an economy's own prices through its inputs, taxes included.
    Needs home sales in every sector used.
    """
    s, n = e.X.shape
    out = np.zeros(n)
    for d in range(n):
        passed = np.zeros(s)
        for r in range(s):
            if e.X[r, d] > 0:
                passed[r] = np.log(state.pi[r, d, d] / base.pi[r, d, d]) / e.theta[r]
                if A is not None:
                    passed[r] -= np.log(A[r, d])
        pays = ((1 + e.omega[None]) * e.g)[:, :, d]  # [input, using]
        relative = np.linalg.solve(np.eye(s) - pays.T, passed)
        out[d] = np.exp(-e.alpha[:, d] @ relative)
    return out
