"""Welfare, its split by instrument, and trade creation and diversion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from entrepot.equilibrium.economy import Economy
from entrepot.equilibrium.nests import input_prices, real_price
from entrepot.equilibrium.outcome import State
from entrepot.equilibrium.shock import TradeShock

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Welfare:
    """Hats and shares by region (n,); every number is free of the numeraire except the split.

    `real_income` = I-hat / P-hat (the equivalent variation under
    Cobb-Douglas), `without_transfer` the same for income less the trade
    deficit, `real_wage` = w-hat / P-hat, `price` = P-hat relative to world
    value added.
    """

    real_income: Array
    without_transfer: Array
    real_wage: Array
    price: Array


def welfare(e: Economy, base: State, new: State) -> Welfare:
    """Real income and its parts, new over base."""
    price = np.exp(real_price(e, np.log(new.P / base.P)))
    own = (new.I - new.D) / (base.I - base.D)
    return Welfare(
        real_income=new.I / base.I / price,
        without_transfer=own / price,
        real_wage=new.w / base.w / price,
        price=price,
    )


SPLIT_TERMS = {
    "terms_of_trade": "export less import prices at the border, at base flows",
    "volume_of_trade": "tariffs and export taxes times the change in the volumes they fall on",
    "trade_cost": "resources saved (or lost) in delivering base imports",
    "technology": "productivity changes at base output",
    "endowment": "labour endowment changes at base wages",
    "transfer": "the change in the trade deficit",
    "product_tax": "product taxes on inputs times the change in the volumes they fall on",
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
    I = base.I  # noqa: E741
    c = new.c / base.c - 1
    tax = (1 + new.x) / (1 + base.x) - 1
    ice = new.tau / base.tau - 1
    stock = e.inventories
    M = base.border
    away = ~np.eye(len(e.regions), dtype=bool)[None]
    flows = (M + stock) * away
    border_price = c[:, :, None] + np.where(
        stock == 0, tax, tax * M / np.where(M + stock != 0, M + stock, 1)
    )
    terms = flows * border_price
    hat_M = np.divide(new.border, M, out=np.ones_like(M), where=M > 0) - 1
    hat_N = np.divide(new.N, base.N, out=np.ones_like(M), where=base.N > 0) - 1
    volume_in = base.t * M * (hat_M - c[:, :, None] - tax - ice)
    volume_out = base.x * base.N * (hat_N - c[:, :, None])
    split = {
        "terms_of_trade": (terms.sum((0, 2)) - terms.sum((0, 1))) / I,
        "volume_of_trade": (volume_in.sum((0, 1)) + volume_out.sum((0, 2))) / I,
        "trade_cost": -(M * ice).sum((0, 1)) / I,
        "technology": (base.Y * (shock.A - 1)).sum(0) / I,
        "endowment": base.V * (shock.L - 1) / I,
        "transfer": (new.D - base.D) / I,
    }
    if e.omega.any():
        bought = e.g * base.Y[None]
        grown = (new.Y / np.where(base.Y > 0, base.Y, 1))[None] - input_prices(e, new.P / base.P)
        split["product_tax"] = (e.omega[None] * bought * grown).sum((0, 1)) / I
    exact = welfare(e, base, new).real_income - 1
    split["higher_order"] = exact - sum(split.values())
    return split


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
    home = np.eye(len(e.regions), dtype=bool) if home is None else home
    price = new.c[:, :, None] / base.c[:, :, None] * (1 + new.x) / (1 + base.x)
    price = price * new.tau / base.tau
    volume = new.border / price - base.border
    volume[:, home] = 0
    touched = (np.abs(shock.kappa(e) - 1) > 1e-15) | shock.embargo
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
