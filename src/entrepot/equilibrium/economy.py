"""The calibrated base of the trade equilibrium.

Flows have the axes [sector, origin, market]. A *market* is a group of users in
a destination that share one sourcing mix: market `u * n + d` is user group u
in region d. With one group (sourcing by sector) markets are destinations.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import WorldError
from entrepot.equilibrium.variants import Variant

Array = NDArray[np.float64]
Numbers = NDArray[Any]  # of any kind: a view or a sum keeps it
Sourcing = Literal["by_sector", "by_use", "by_user"]

ALL_USERS = "all users"
INTERMEDIATE = "intermediate use"


@dataclass(frozen=True, eq=False)
class Economy:
    """One base-year equilibrium; s sectors, n regions, m markets, values in million USD.

    Axes are [sector, origin, market], [input, using sector, region] and
    [sector, region]. Symbols as in Caliendo & Parro (2015), section 2, except
    `g`, the *value* of duty-paid inputs per unit of output value, before
    product taxes; buyers pay `(1 + omega) g`, so `va + (1 + omega) * g.sum(0) = 1`.

    - `pi` (s, n, m) expenditure shares, `X` (s, m) expenditure (duty paid), `t`
      tariffs on the border value, `x` export taxes on the producer price, each
      (s, n, n), or (s, n, m) where users differ;
    - `alpha` (s, f * n) final-use shares of income `I`, bundle by bundle, `V`
      value added, `D` trade deficit (positive: income received);
    - `inventories` (s, n, n) <= 0: sales out of stock, held at base quantities;
    - `theta` (s,) trade elasticities; `users` the user groups, and `final_users`
      (f,) the group each final bundle buys with; intermediate users are group 0
      if `shared_inputs`, and otherwise each sector its own, groups 0 to s - 1;
    - `variant` how nests substitute and whether scale matters;
    - `base_gap` how far the base is from satisfying its own equations, relative.

    Sources: Caliendo & Parro (2015); sourcing by user, Antràs & Chor (2018).
    """

    regions: tuple[str, ...]
    sectors: tuple[str, ...]
    theta: Array
    pi: Array
    X: Array
    t: Array
    x: Array
    g: Array
    omega: Array
    va: Array
    alpha: Array
    I: Array  # noqa: E741 - the paper's symbol
    V: Array
    D: Array
    inventories: Array
    base_gap: float = 0.0
    notes: tuple[str, ...] = field(default=())
    users: tuple[str, ...] = (ALL_USERS,)
    final_users: tuple[int, ...] = (0,)
    shared_inputs: bool = True
    variant: Variant = field(default_factory=Variant)

    @cached_property
    def pays(self) -> Array:
        """Cost shares of inputs, product taxes included: [region, using sector, input]."""
        return np.ascontiguousarray(((1 + self.omega) * self.g).transpose(2, 1, 0))

    @cached_property
    def uses(self) -> Array:
        """Input values per unit of output: [region, input, using sector]."""
        return np.ascontiguousarray(self.g.transpose(2, 0, 1))

    @cached_property
    def product_tax(self) -> Array:
        """Product taxes on inputs per unit of output value (s, n)."""
        return self.omega * self.g.sum(0)

    @cached_property
    def draws_stock(self) -> bool:
        """Whether any sale comes out of stock."""
        return bool(self.inventories.any())

    @cached_property
    def budget(self) -> Array:
        """Share of income each final bundle takes (f, n)."""
        return self.by_bundle(self.alpha).sum(0)

    def wide(self, flows: Numbers) -> Numbers:
        """(s, n, m) flows as (s, n, u, n), and (s, n, n) rates, common to all users, as (s, n, 1, n)."""
        return flows.reshape(*flows.shape[:2], -1, len(self.regions))

    def over_users(self, flows: Numbers) -> Numbers:
        """Sums over user groups: (..., m) -> (..., n)."""
        if len(self.users) == 1:
            return flows
        return flows.reshape(*flows.shape[:-1], len(self.users), -1).sum(-2)

    def on_users(self, values: Numbers) -> Numbers:
        """Values by region on each of its markets: (..., n) -> (..., m)."""
        return values if len(self.users) == 1 else np.tile(values, len(self.users))

    def by_bundle(self, values: Numbers) -> Numbers:
        """(s, f * n) -> (s, f, n)."""
        return values.reshape(len(values), len(self.final_users), -1)

    def final(self, values: Numbers) -> Numbers:
        """Values by market (s, m), as final bundles meet them (s, f * n)."""
        if len(self.users) == 1:
            return values
        whole = values.reshape(len(values), len(self.users), -1)
        return whole[:, list(self.final_users)].reshape(len(values), -1)

    @property
    def N(self) -> Array:
        """Producer value of market sales (s, n, n)."""
        return self.over_users(self.sales)

    @property
    def sales(self) -> Array:
        """Producer value of market sales by market (s, n, m)."""
        flows = self.pi * self.X[:, None, :]
        wide = self.wide(flows)
        for rate in (self.t, self.x):
            if rate.any():
                wide /= 1 + self.wide(rate)
        return flows

    @cached_property
    def sold(self) -> Array:
        """Producer value of each producer's market sales (s, n)."""
        return np.asarray(self.sales.sum(2))

    @property
    def Y(self) -> Array:
        """Output (s, n), sales out of stock taken off."""
        return self.sold + self.inventories.sum(2)

    def cells(self, mask: NDArray[np.bool_]) -> list[str]:
        """`region sector` names, with the user where they differ, of a mask (s, n) or (s, m)."""
        n = len(self.regions)
        one = mask.shape[1] == n
        return [
            f"{self.regions[j % n]} {self.sectors[r]}" + ("" if one else f" ({self.users[j // n]})")
            for r, j in np.argwhere(mask)
        ]


def with_variant(e: Economy, variant: Variant) -> Economy:
    """The same base under another variant of the model.

    Raises WorldError where the variant does not fit the economy.
    """
    variant.require_fits(len(e.sectors), len(e.users))
    return replace(e, variant=variant)


def spending(e: Economy, g: Array, Y: Array, alpha: Array, income: Array) -> Array:
    """Expenditure by market (s, m): inputs of output `Y` at values `g`, and final use of income."""
    inputs = np.einsum("rkd,kd->rd", g, Y) if e.shared_inputs else g * Y
    return on_markets(e, inputs, e.by_bundle(alpha) * income)


def on_markets(e: Economy, inputs: Array, final: Array) -> Array:
    """Inputs (s, s, n), or (s, n) summed over users, and final bundles (s, f, n) by market (s, m)."""
    if e.shared_inputs and inputs.ndim == 3:
        inputs = inputs.sum(1)
    if len(e.users) == 1:
        return inputs + final[:, 0]
    s, n = e.va.shape
    out = np.zeros((s, len(e.users), n))
    if e.shared_inputs:
        out[:, 0] = inputs
    else:
        out[:, :s] = inputs
    for f, u in enumerate(e.final_users):
        out[:, u] += final[:, f]
    return out.reshape(s, -1)


def at_home(flows: Numbers) -> Numbers:
    """Flows (..., n, m) where origin and destination are one: (..., m), a copy."""
    here = np.arange(flows.shape[-1])
    return flows[..., here % flows.shape[-2], here]


def set_at_home(flows: Numbers, values: Numbers | float) -> None:
    """Write values (..., m), in place, where origin and destination are one."""
    here = np.arange(flows.shape[-1])
    flows[..., here % flows.shape[-2], here] = values


def base_gap(economy: Economy) -> float:
    """Largest relative miss of the base's own goods, income and factor equations."""
    e = economy
    N = e.sales
    border = e.wide(N) * (1 + e.wide(e.x))
    tariff = (e.wide(e.t) * border).sum((0, 1, 2))
    export = (e.wide(e.x) * e.wide(N)).sum((0, 2, 3))
    Y = e.Y
    product = (e.product_tax * Y).sum(0)
    income = e.V + tariff + export + product + e.D - e.inventories.sum((0, 1))
    goods = spending(e, e.g, Y, e.alpha, e.I) - e.X
    size = e.over_users(e.X).sum(0)
    return float(
        max(
            np.abs(goods).max() / e.X.max(),
            (e.over_users(np.abs(goods)).sum(0) / size).max(),
            np.abs(income / e.I - 1).max(),
            np.abs((e.va * Y).sum(0) / e.V - 1).max(),
        )
    )


def as_elasticities(theta: Array, s: int) -> Array:
    """Elasticities (s,), checked: positive and finite."""
    theta = np.asarray(theta, float)
    if theta.shape != (s,):
        raise WorldError(
            f"elasticities have shape {theta.shape}; one per sector ({s}) was expected."
        )
    if not (np.isfinite(theta).all() and (theta > 0).all()):
        raise WorldError("elasticities must be positive and finite.")
    return theta


def ratio(a: Array, b: Array, empty: float) -> Array:
    """A / b where b > 0, `empty` elsewhere."""
    out = np.full(np.broadcast_shapes(a.shape, b.shape), empty)
    return np.divide(a, b, out=out, where=b > 0)
