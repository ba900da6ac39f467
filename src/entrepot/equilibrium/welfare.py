"""Welfare, its split by instrument, and trade creation and diversion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import ScenarioError
from entrepot.equilibrium.economy import Economy
from entrepot.equilibrium.nests import input_prices, real_price
from entrepot.equilibrium.outcome import State, duties
from entrepot.equilibrium.shock import TradeShock

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Welfare:
    """Hats and shares by region (n,); every number is free of the numeraire except the split.

    `real_income` = I-hat / P-hat (final demand is homothetic), `without_transfer`
    the same for income less the trade deficit, `real_wage` = w-hat / P-hat,
    `price` = P-hat relative to world value added. In million USD, at base prices
    the equivalent variation and at new prices (relative to world value added) the
    compensating variation: what could be taken for the change to leave no one better off.
    """

    real_income: Array
    without_transfer: Array
    real_wage: Array
    price: Array
    equivalent: Array
    compensating: Array


def welfare(e: Economy, base: State, new: State) -> Welfare:
    """Real income and its parts, new over base."""
    price = np.exp(real_price(e, np.log(new.P / base.P)))
    own = (new.I - new.D) / (base.I - base.D)
    hat = new.I / base.I / price
    return Welfare(
        real_income=hat,
        without_transfer=own / price,
        real_wage=new.w / base.w / price,
        price=price,
        equivalent=base.I * (hat - 1),
        compensating=new.I * (1 - 1 / hat),
    )


SPLIT_TERMS = {
    "terms_of_trade": "export less import prices at the border, at base flows",
    "volume_of_trade": "tariffs and export taxes times the change in the volumes they fall on",
    "trade_cost": "resources saved (or lost) in delivering base imports",
    "technology": "productivity changes at base output",
    "endowment": "labour endowment changes at base wages",
    "transfer": "the change in the trade deficit",
    "product_tax": "product taxes on inputs times the change in the volumes they fall on",
    "scale": "varieties, or external economies, from own output",
    "selection": "varieties bought where the market grows",
    "higher_order": "the exact change less the sum of the linear terms",
}


def welfare_split(e: Economy, shock: TradeShock, base: State, new: State) -> dict[str, Array]:
    """The change in real income by instrument, each (n,) a share of base income.

    Linear terms at base flows in hats minus one (not logs), as in Caliendo &
    Parro (2015), equation 15, extended by one term an instrument; with tariffs
    only, `terms_of_trade + volume_of_trade` is their Table 2. Border prices
    carry export taxes; volumes are values deflated by border prices, iceberg
    included, so that the terms sum to the exact change to first order for
    every instrument. `higher_order` is the rest. Terms are measured in units
    of world value added; only their sum does not depend on that choice.
    """
    require_common(shock)
    I = base.I  # noqa: E741
    c = new.c / base.c - 1
    tax = (1 + new.x) / (1 + base.x) - 1
    ice = new.tau / base.tau - 1
    stock = e.inventories
    M = base.border
    away = ~np.eye(len(e.regions), dtype=bool)[None]
    psi, chi = e.variant.by_cost(e.theta)
    sold = base.N.sum(2)
    grown = np.divide(new.N.sum(2), sold, out=np.ones_like(sold), where=sold > 0) - 1
    seen = c - psi * (grown - c)  # what buyers pay, varieties counted
    prices = (M * (seen[:, :, None] + tax) + stock * c[:, :, None]) * away
    paid, export_paid = duties(e, base, base.t, base.x)
    new_paid, new_export_paid = duties(e, new, base.t, base.x)
    volume_in = new_paid - paid * (1 + seen[:, :, None] + tax + ice)
    volume_out = new_export_paid - export_paid * (1 + seen[:, :, None])
    split = {
        "terms_of_trade": (prices.sum((0, 2)) - prices.sum((0, 1))) / I,
        "volume_of_trade": (volume_in.sum((0, 1)) + volume_out.sum((0, 2))) / I,
        "trade_cost": -(M * ice).sum((0, 1)) / I,
        "technology": (base.Y * (shock.A - 1)).sum(0) / I,
        "endowment": base.V * (shock.L - 1) / I,
        "transfer": (new.D - base.D) / I,
    }
    if e.omega.any():
        bought, now = base.g * base.Y[None], new.g * new.Y[None]
        split["product_tax"] = (
            e.omega[None] * (now - bought * input_prices(e, new.P / base.P))
        ).sum((0, 1)) / I
    if e.variant.has_scale:
        split["scale"] = (sold * (c - seen)).sum(0) / I
    if e.variant.selects:
        spent = base.pi * base.X[:, None, :]
        market = np.divide(new.X, base.X, out=np.ones_like(base.X), where=base.X > 0) - 1
        duty = (1 + new.t) / (1 + base.t) - 1
        cells = chi[:, :, None] * spent * (market[:, None, :] - c[:, :, None] - tax - duty)
        split["selection"] = cells.sum((0, 1)) / I
    exact = welfare(e, base, new).real_income - 1
    split["higher_order"] = exact - sum(split.values())
    return split


def require_common(shock: TradeShock) -> None:
    """Raise ScenarioError where export taxes, trade costs or embargoes differ by user."""
    for name in ("x", "tau", "embargo"):
        if getattr(shock, name).shape[2] != shock.A.shape[1]:
            raise ScenarioError(f"a welfare split needs {name} common to all users.")


@dataclass(frozen=True, eq=False)
class TradeShift:
    """Change in the volume of imports by destination (n,), million USD at base border prices.

    Over each sector and buyer, imports from suppliers whose own delivered cost
    the shock changed directly (`touched`) and from all others move by dA and
    dB. Where they move in opposite directions, the smaller of the two is
    `diversion` (signed like dA): trade that changed supplier. The rest of dA
    is `creation`: it displaced, or was replaced by, home supply. `other` is
    what others' imports moved beyond the diversion.
    """

    creation: Array
    diversion: Array
    other: Array
    imports: Array


def trade_shift(
    shock: TradeShock,
    e: Economy,
    base: State,
    new: State,
    home: NDArray[np.bool_] | None = None,
) -> TradeShift:
    """Trade creation and diversion (after Viner 1950), by the formula in TradeShift.

    `home` (n, n) marks pairs of regions between which sales are no imports; each
    region with itself when None.
    """
    require_common(shock)
    home = np.eye(len(e.regions), dtype=bool) if home is None else home
    price = new.c[:, :, None] / base.c[:, :, None] * (1 + new.x) / (1 + base.x)
    price = price * new.tau / base.tau
    volume = new.border / price - base.border
    volume[:, home] = 0
    touched = e.wide(np.abs(shock.kappa(e) - 1) > 1e-15).any(2) | shock.embargo
    dA = (volume * touched).sum(1)
    dB = (volume * ~touched).sum(1)
    moved = np.where(dA * dB < 0, np.minimum(np.abs(dA), np.abs(dB)), 0.0) * np.sign(dA)
    imports = (base.border * ~home).sum((0, 1))
    return TradeShift(
        creation=(dA - moved).sum(0),
        diversion=moved.sum(0),
        other=(dB + moved).sum(0),
        imports=imports,
    )
