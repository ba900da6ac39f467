"""The linearised world: what a change in each economy does to every other.

After Kleinman, Liu & Redding (2020), "International Friends and Enemies", with
inputs, tariffs, transfers and any variant: the matrix is the exact derivative of
this model, not an approximation of another, and its error at a finite change is
measured against the exact answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import ScenarioError
from entrepot.core.labels import did_you_mean
from entrepot.equilibrium.economy import Economy
from entrepot.equilibrium.iterate import precondition
from entrepot.equilibrium.outcome import base_state, new_state
from entrepot.equilibrium.problem import Closure
from entrepot.equilibrium.response import linearise, respond
from entrepot.equilibrium.shock import TradeShock, no_shock
from entrepot.equilibrium.solve import solve
from entrepot.equilibrium.tangent import Given
from entrepot.equilibrium.welfare import welfare

Array = NDArray[np.float64]


def _flows(e: Economy, sectors: Sequence[int], to: int | None, out_of: int | None) -> Array:
    """One on the foreign flows of some sectors to, or out of, an economy."""
    n = len(e.regions)
    out = np.zeros((len(e.sectors), n, n))
    rows = list(sectors)
    if to is not None:
        out[rows, :, to] = 1
    if out_of is not None:
        out[rows, out_of, :] = 1
    return out * ~np.eye(n, dtype=bool)


def _producers(e: Economy, sectors: Sequence[int], region: int) -> Array:
    out = np.zeros(e.va.shape)
    out[list(sectors), region] = 1
    return out


def _labour(e: Economy, _: Sequence[int], region: int) -> Array:
    return np.eye(len(e.regions))[region]


DIRECTIONS: dict[str, tuple[str, Callable[[Economy, Sequence[int], int], Array], str]] = {
    "productivity": ("A", _producers, "productivity of the economy's producers"),
    "labour": ("L", _labour, "labour of the economy"),
    "import_tariffs": (
        "t",
        lambda e, k, i: _flows(e, k, i, None),
        "one plus the economy's tariffs on all others",
    ),
    "import_costs": (
        "tau",
        lambda e, k, i: _flows(e, k, i, None),
        "iceberg cost of all the economy's imports",
    ),
    "export_costs": (
        "tau",
        lambda e, k, i: _flows(e, k, None, i),
        "iceberg cost of all the economy's exports",
    ),
}
"""Directions of change: what is given, its weights for one economy, and in words."""


@dataclass(frozen=True, eq=False)
class WorldResponse:
    """Log real income (n, n) [of region, by change in region] per log of the change.

    `real_income` linear; `exact` at `size` (a log change), None where not asked;
    `error` the largest difference of the two, in the same unit, and `residual` the
    largest of the linear solves.
    """

    instrument: str
    regions: tuple[str, ...]
    real_income: Array
    real_wage: Array
    residual: float
    size: float | None = None
    exact: Array | None = None

    @property
    def error(self) -> float | None:
        """The largest difference between linear and exact, per log of the change."""
        return None if self.exact is None else float(np.abs(self.exact - self.real_income).max())


def world_response(
    e: Economy,
    instrument: str = "productivity",
    *,
    sectors: Sequence[int] | None = None,
    closure: Closure = "world_share",
    check: float | None = None,
    inside: NDArray[np.bool_] | None = None,
) -> WorldResponse:
    """The linear response of every economy to a change in each, around the base of `e`.

    Parameters
    ----------
    instrument : one of `DIRECTIONS`.
    sectors : positions of the sectors changed; all when None.
    check : a log change at which the exact answer is found too, for the error;
        one equilibrium an economy; from 0.0001 to 1, up or down.
    inside : (n, n) pairs of regions between which there is no border (parts of one
        economy); each region with itself when None.

    Raises ScenarioError for an unknown instrument, and for a base with deficits under
    `none`, which would end them.

    """
    if instrument not in DIRECTIONS:
        raise ScenarioError(
            f"there is no direction {instrument!r}{did_you_mean(instrument, DIRECTIONS) or '.'} "
            f"Known: {', '.join(DIRECTIONS)}."
        )
    if check is not None and not (np.isfinite(check) and 1e-4 <= abs(check) <= 1):
        raise ScenarioError(f"check is {check:g}; a log change from 0.0001 to 1 was expected.")
    if closure == "none" and np.abs(e.D).max() > 1e-9 * e.V.max():
        raise ScenarioError("closure none would end the base's deficits; balance it first.")
    if sectors is not None and not set(sectors) <= set(range(len(e.sectors))):
        raise ScenarioError(f"sectors are positions from 0 to {len(e.sectors) - 1}.")
    if sectors is not None and not len(sectors):
        raise ScenarioError("no sector is named.")
    key, weights, _ = DIRECTIONS[instrument]
    if key == "L" and sectors is not None and len(set(sectors)) < len(e.sectors):
        raise ScenarioError(f"{instrument} is by economy; it takes no sectors.")
    n = len(e.regions)
    chosen = range(len(e.sectors)) if sectors is None else sectors
    still, base = no_shock(e), base_state(e)
    pre = precondition(e, e.pi, e.X)
    linear = linearise(e, still, base, closure=closure, pre=pre)
    income, wage = np.zeros((n, n)), np.zeros((n, n))
    exact = None if check is None else np.zeros((n, n))
    residual = 0.0
    for i in range(n):
        given = weights(e, chosen, i)
        if inside is not None and given.ndim == 3:
            given = given * ~inside
        found = respond(linear, Given(**{key: given}))
        income[:, i], wage[:, i] = found.real_income, found.real_wage
        residual = max(residual, found.residual)
        if check is not None and exact is not None:
            shock = _moved(still, key, check * given)
            state = new_state(e, shock, solve(e, shock, closure=closure, pre=pre, tol=1e-11))
            exact[:, i] = np.log(welfare(e, base, state).real_income) / check
    return WorldResponse(instrument, e.regions, income, wage, residual, check, exact)


def _moved(shock: TradeShock, key: str, by: Array) -> TradeShock:
    """A shock with one thing given changed in logs."""
    old = getattr(shock, key)
    if key == "t":
        return replace(shock, t=(1 + old) * np.exp(by) - 1)
    return replace(shock, **{key: old * np.exp(by)})
