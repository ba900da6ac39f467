"""What changes: the trade engine's own shock type."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import ScenarioError
from entrepot.equilibrium.economy import Economy

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TradeShock:
    """New levels of taxes and hats of everything else.

    `t`, `x` (s, n, n): new tariffs and export taxes, ad-valorem fractions
    above -1; `tau` (s, n, n) iceberg hat, positive; `embargo` (s, n, n) flows
    forbidden; `A` (s, n) productivity hat; `L` (n,) labour endowment hat. The
    first four may be (s, n, m), by market, where users differ (`Economy`).
    """

    t: Array
    x: Array
    tau: Array
    embargo: NDArray[np.bool_]
    A: Array
    L: Array

    def __post_init__(self) -> None:
        s, n = self.A.shape
        if self.L.shape != (n,):
            raise ScenarioError(f"the shock's L has shape {self.L.shape}; {(n,)} was expected.")
        for name in ("t", "x", "tau", "embargo"):
            shape = getattr(self, name).shape
            if len(shape) != 3 or shape[:2] != (s, n) or shape[2] % n:
                raise ScenarioError(
                    f"the shock's {name} has shape {shape}; {(s, n, n)} was expected."
                )
        for name in ("t", "x", "tau", "A", "L"):
            if not np.isfinite(getattr(self, name)).all():
                raise ScenarioError(f"the shock's {name} holds values that are not finite.")
        if (self.t <= -1).any() or (self.x <= -1).any():
            raise ScenarioError(
                "a tariff or export tax of -100 % or less leaves no positive price."
            )
        if any(np.einsum("rdud->rud", a.reshape(s, n, -1, n)).any() for a in (self.t, self.x)):
            raise ScenarioError(
                "tariffs and export taxes fall on sales between two economies only."
            )
        if min(self.tau.min(), self.A.min(), self.L.min()) <= 0:
            raise ScenarioError(
                "trade-cost, productivity and labour changes must leave them positive."
            )

    def kappa(self, economy: Economy, at: tuple[NDArray[np.intp], ...] | None = None) -> Array:
        """Hat of the delivered price at given unit cost: duties times iceberg.

        Where firms select into markets, duties count with the power 1 + selection / theta.
        (s, n, n), or (s, n, m) where one of them differs by user, or the values
        at positions `at` of that.
        """
        arrays = same_width(self.t, economy.t, self.x, economy.x, self.tau)
        t1, t0, x1, x0, tau = arrays if at is None else (a[at] for a in arrays)
        duties = (1 + t1) / (1 + t0) * ((1 + x1) / (1 + x0))
        if economy.variant.selects:
            power = 1 + economy.variant.by_cost(economy.theta)[1]
            duties = duties ** (power[:, :, None] if at is None else power[at[0], 0])
        return duties * tau


def same_width(*arrays: Array) -> tuple[Array, ...]:
    """Arrays (s, n, n) or (s, n, m), the narrow ones repeated over users if any is wide."""
    width = max(a.shape[2] for a in arrays)
    s, n = arrays[0].shape[:2]
    return tuple(
        a
        if a.shape[2] == width
        else np.broadcast_to(a.reshape(s, n, -1, n), (s, n, width // n, n)).reshape(s, n, width)
        for a in arrays
    )


def no_shock(economy: Economy) -> TradeShock:
    """The shock that changes nothing."""
    s, n = economy.va.shape
    return TradeShock(
        t=economy.t,
        x=economy.x,
        tau=np.ones((s, n, n)),
        embargo=np.zeros((s, n, n), bool),
        A=np.ones((s, n)),
        L=np.ones(n),
    )


def fraction(economy: Economy, shock: TradeShock, share: float) -> TradeShock:
    """The given share of a shock, in logs (embargoes stay whole)."""

    def between(old: Array, new: Array) -> Array:
        return np.exp(share * np.log1p(new) + (1 - share) * np.log1p(old)) - 1

    return TradeShock(
        t=between(economy.t, shock.t),
        x=between(economy.x, shock.x),
        tau=shock.tau**share,
        embargo=shock.embargo,
        A=shock.A**share,
        L=shock.L**share,
    )
