"""The Guide's gravity estimates and the base trade they fit: see `yotov_2016`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.validation.files import frame
from entrepot.validation.ppml import ppml

Array = NDArray[np.float64]

REFERENCE = "DEU"  # its inward resistance is one
YEARS = (1986, 1990, 1994, 1998, 2002, 2006)
NAFTA = ("CAN", "MEX", "USA")
TERMS = {
    "borders": ("distance", "contiguity", "border"),
    "borders, CAN-USA apart": ("distance", "contiguity", "border", "CAN-USA border"),
    "agreements": ("agreement",),
    "agreements, NAFTA apart": ("agreement", "NAFTA"),
}


@dataclass(frozen=True, eq=False)
class Application:
    """Fitted base trade and T = t^(1 - sigma), before and after, each (n, n) [origin, destination].

    `undone`: something is taken away, and its effect printed (the base over the counterfactual).
    """

    codes: tuple[str, ...]
    trade: Array
    before: Array
    after: Array
    undone: bool = False

    @property
    def home(self) -> int:
        """The reference importer's place."""
        return self.codes.index(REFERENCE)


def effects(app: Application, costs: Array) -> tuple[Array, Array]:
    """Exporter and importer effects that fit base outputs and expenditures, the reference's one."""
    Y, E = app.trade.sum(1), app.trade.sum(0)
    a, b = np.ones_like(Y), np.ones_like(E)
    for _ in range(100_000):
        a = Y / (costs @ b)
        b = E / (costs.T @ a)
        if np.abs(a * (costs @ b) / Y - 1).max() < 1e-14:
            break
    return a * b[app.home], b / b[app.home]


def applications(folder: Path) -> tuple[dict[str, Application], dict[str, dict[str, float]]]:
    """The six applications, from the estimates; and these, by equation and term."""
    data = frame(folder / "agtpa_applications.csv.gz")
    data = data[data["year"].isin(YEARS)].sort_values(["year", "exporter", "importer"])
    first, estimates = _borders(data[data["year"] == YEARS[-1]])
    second, more = _agreements(data)
    return first | second, estimates | more


def _borders(data: pd.DataFrame) -> tuple[dict[str, Application], dict[str, dict[str, float]]]:
    codes, square = _squares(data)
    n = len(codes)
    can, usa = codes.index("CAN"), codes.index("USA")
    pair = np.zeros((n, n))
    pair[can, usa] = pair[usa, can] = 1
    one_way = np.zeros((n, n))
    one_way[can, usa] = 1
    abroad = 1 - np.eye(n)
    plain = [np.log(square("dist")), square("cntg"), abroad]
    apart = [*plain[:2], abroad - pair, pair]
    origin, destination = np.indices((n, n)).reshape(2, -1)
    labels = [origin, _without(destination, codes.index(REFERENCE))]
    found, estimates = {}, {}
    for name, terms, removals in (
        ("borders", plain, {"all borders removed": (2, abroad),
                            "CAN-USA border removed, average": (2, pair)}),
        ("borders, CAN-USA apart", apart, {"CAN-USA border removed, own": (3, pair),
                                           "CAN-USA border removed, CAN's exports": (3, one_way)}),
    ):  # fmt: skip
        fit = ppml(square("trade").ravel(), labels, np.stack([t.ravel() for t in terms], axis=1))
        estimates[name] = dict(zip(TERMS[name], map(float, fit.slopes), strict=True))
        costs = np.exp(np.tensordot(fit.slopes, np.stack(terms), 1))
        for label, (term, where) in removals.items():
            after = costs * np.exp(-fit.slopes[term] * where)
            found[label] = Application(codes, fit.mean.reshape(n, n), costs, after)
    return found, estimates


def _agreements(data: pd.DataFrame) -> tuple[dict[str, Application], dict[str, dict[str, float]]]:
    """Pair effects from six years, then the base of 1994 (Anderson & Yotov 2016, two stages)."""
    year, trade = data["year"].to_numpy(), data["trade"].to_numpy(float)
    when = pd.factorize(year, sort=True)[0]
    origin, names = pd.factorize(data["exporter"], sort=True)
    destination = pd.factorize(data["importer"], sort=True)[0]
    n = len(names)
    importer = _without(destination, list(names).index(REFERENCE))
    either_way = np.minimum(origin, destination) * n + np.maximum(origin, destination)
    used = np.isin(either_way, either_way[trade > 0])  # pairs that never trade have no effect
    pairs, pair = np.unique(
        np.where(origin == destination, -1, either_way)[used], return_inverse=True
    )
    labels = [
        pair - 1,  # home sales are the reference
        (origin * len(YEARS) + when)[used],
        np.where(importer < 0, -1, importer * len(YEARS) + when)[used],
    ]
    member = np.isin(names, NAFTA)
    inside = member[origin] & member[destination] & (origin != destination) & (year >= 1994)
    rta = data["rta"].to_numpy()
    codes, square = _squares(data[year == 1994])
    found, estimates = {}, {}
    for name, table, terms in (
        ("agreements", "NAFTA, as any agreement", [rta]),
        ("agreements, NAFTA apart", "NAFTA, its own effect", [np.where(inside, 0, rta), inside]),
    ):
        columns = np.stack(terms, axis=1).astype(float)
        fit = ppml(trade[used], labels, columns[used])
        estimates[name] = dict(zip(TERMS[name], map(float, fit.slopes), strict=True))
        lasting = np.full((n, n), np.nan)
        o, d = np.divmod(pairs[1:], n)
        lasting[o, d] = lasting[d, o] = np.exp(fit.effects[0])
        np.fill_diagonal(lasting, 1.0)
        lasting = _filled(lasting, square)
        in_1994 = (columns[year == 1994] @ fit.slopes).reshape(n, n)
        before = lasting * np.exp(in_1994)
        undone = np.where(inside[year == 1994].reshape(n, n), fit.slopes[-1], 0.0)
        observed = Application(codes, square("trade"), before, before * np.exp(-undone), True)
        a, b = effects(observed, before)
        found[table] = replace(observed, trade=a[:, None] * before * b)
    return found, estimates


def _filled(lasting: Array, square: _Square) -> Array:
    """Costs of pairs that never trade, as geography, language and history predict."""
    n = len(lasting)
    seen = ~np.isnan(lasting) & ~np.eye(n, dtype=bool)
    terms = np.stack(
        [np.log(square("dist")), square("cntg"), square("lang"), square("clny")], axis=2
    )
    origin, destination = np.indices((n, n))
    fit = ppml(lasting[seen], [origin[seen], _without(destination, n - 1)[seen]], terms[seen])
    importer = np.append(fit.effects[1], 0.0)
    predicted = np.exp(fit.effects[0][:, None] + importer + terms @ fit.slopes)
    return np.where(np.isnan(lasting), predicted, lasting)


class _Square:
    """Columns of one year as (n, n) [origin, destination]."""

    def __init__(self, data: pd.DataFrame, n: int) -> None:
        self.data, self.n = data, n

    def __call__(self, column: str) -> Array:
        return self.data[column].to_numpy(float).reshape(self.n, self.n)


def _squares(data: pd.DataFrame) -> tuple[tuple[str, ...], _Square]:
    codes = tuple(map(str, sorted(data["exporter"].unique())))
    return codes, _Square(data, len(codes))


def _without(labels: NDArray[np.intp], reference: int) -> NDArray[np.intp]:
    """Labels with one made the reference, the later ones moved up."""
    return np.where(labels == reference, -1, labels - (labels > reference))
