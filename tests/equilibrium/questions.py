"""A thousand hard questions on small worlds, each from its kind and number alone.

Kinds are crossed with worlds that may hold zeros, dead sectors, stocks drawn down, product
taxes, tariffs and export taxes, elasticities from 1 to 12 (unless the kind sets them), and the
closures. `SPECIAL` kinds ask the same of other sourcing rules and variants of the model.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from entrepot.core.errors import WorldError
from entrepot.equilibrium.calibrate import calibrate
from entrepot.equilibrium.economy import Economy
from entrepot.equilibrium.shock import TradeShock, no_shock
from entrepot.equilibrium.variants import Variant
from entrepot.world.world import World
from worlds import off_diagonal, random_world

CLOSURES = ("world_share", "proportional", "zero")
KINDS = (
    "prohibitive tariffs by one",
    "prohibitive tariffs by all",
    "prohibitive tariffs in some cells",
    "export taxes and subsidies",
    "embargo of a pair",
    "embargo of one economy",
    "embargo one way",
    "embargo to autarky of all",
    "embargo of random cells",
    "near autarky of all",
    "near autarky of one",
    "collapse of the hub",
    "productivity x100 in one economy",
    "productivity x100 in one sector",
    "theta 20 and productivity x100",
    "one theta 65",
    "labour x100 or /100",
    "borders fall",
    "everything at once",
    "everything at once, high theta",
)
SPECIAL = {
    "sourcing by use": {"sourcing": "by_use"},
    "sourcing by user": {"sourcing": "by_user"},
    "nested CES": {"variant": Variant("nested", value_added=0.5, inputs=0.3, demand=0.7)},
    "nested CES by user": {
        "sourcing": "by_user",
        "variant": Variant("nested", value_added=0.5, inputs=0.3, demand=0.7),
    },
    "fixed proportions": {"variant": Variant("leontief", value_added=0, inputs=0, demand=0)},
    "easy substitution": {"variant": Variant("ces", value_added=1.5, inputs=2, demand=2)},
    "scale": {"variant": Variant("scale", scale=np.array(0.5))},
    "selection": {"variant": Variant("selection", scale=np.array(0.5), selection=np.array(0.3))},
}
EACH = 50


@dataclass(frozen=True)
class Question:
    """One hard question, and the pieces the slow solver needs of it."""

    world: World
    theta: np.ndarray
    e: Economy
    shock: TradeShock
    closure: str

    @property
    def slow_closure(self) -> str:
        return "none" if self.closure == "zero" else self.closure


def question(kind: str, number: int, size: tuple[int, int] | None = None) -> Question:
    """Question `number` of a kind of `KINDS` or `SPECIAL`."""
    names = (*KINDS, *SPECIAL)
    rng = np.random.default_rng([number, names.index(kind)])
    n, s = size or (int(rng.integers(3, 6)), int(rng.integers(2, 5)))

    def some(chance: float, value: float) -> float:
        return value if rng.random() < chance else 0.0

    stocks = some(0.3, 0.3)
    world = random_world(
        int(rng.integers(1_000_000)),
        n,
        s,
        density=float(rng.choice([1.0, 0.8, 0.6])),
        empty=int(rng.choice([0, 0, 1, 2])),
        dead_sector=bool(rng.random() < 0.15),
        product_taxes=some(0.5, 0.05),
        inventories=stocks,
        tariffs=some(0.5, 0.3),
        export_taxes=some(0.3, 0.1),
        categories=2 if stocks else 1,
        home=float(rng.choice([2.0, 6.0, 12.0])),
        inputs=float(rng.choice([0.3, 0.6, 0.9])),
        in_value_added=bool(rng.random() < 0.3),
        spread=float(rng.choice([0.5, 1.0, 1.5])),
    )
    theta = np.exp(rng.uniform(0, np.log(12), s))
    if kind in ("theta 20 and productivity x100", "everything at once, high theta"):
        theta[:] = 20.0
    if kind == "one theta 65":
        theta[rng.integers(s)] = 65.0
    rules = SPECIAL.get(kind, {})
    try:
        e = calibrate(world, theta, **rules)
    except WorldError:  # duties counted within value added left less than none of it
        world = replace(world, satellites={})
        e = calibrate(world, theta, **rules)
    closure = str(rng.choice(CLOSURES))
    asked = str(rng.choice(KINDS)) if kind in SPECIAL else kind
    if asked == "embargo of one economy" and rng.random() < 0.5:
        closure = "zero"
    if asked == "embargo to autarky of all" and rng.random() < 0.8:
        closure = "zero"
    return Question(world, theta, e, _shock(asked, e, rng), closure)


def _shock(kind: str, e: Economy, rng: np.random.Generator) -> TradeShock:
    s, n = e.va.shape
    shock = no_shock(e)
    shape = (s, n, n)
    away = off_diagonal(np.ones(shape))
    one, other = (int(i) for i in rng.permutation(n)[:2])
    t, x, tau, A, L = (np.array(a) for a in (e.t, e.x, shock.tau, shock.A, shock.L))
    t, x = t[:, :, :n], x[:, :, :n]  # rates by user start from the first user's
    cut = np.zeros(shape, bool)
    rate = float(rng.choice([3.0, 100.0, 1e4]))

    if kind == "prohibitive tariffs by one":
        t[:, :, one] = rate * away[:, :, one]
    elif kind == "prohibitive tariffs by all":
        t = rate * away
    elif kind == "prohibitive tariffs in some cells":
        t = np.where(rng.random(shape) < 0.5, rate, t) * away
    elif kind == "export taxes and subsidies":
        x = rng.choice([-0.7, 0.0, 0.5, 5.0, 100.0], shape) * away
    elif kind == "embargo of a pair":
        cut[:, one, other] = cut[:, other, one] = True
    elif kind == "embargo of one economy":
        cut[:, one, :] = cut[:, :, one] = True
    elif kind == "embargo one way":
        some = rng.random(s) < 0.7
        if rng.random() < 0.5:
            cut[some, one, :] = True
        else:
            cut[some, :, one] = True
    elif kind == "embargo to autarky of all":
        cut[:] = True
    elif kind == "embargo of random cells":
        cut = rng.random(shape) < rng.choice([0.3, 0.6, 0.9])
    elif kind == "near autarky of all":
        tau = 1 + (rng.choice([4.0, 20.0, 1e3]) - 1) * away
    elif kind == "near autarky of one":
        tau[:, one, :] = tau[:, :, one] = rng.choice([4.0, 20.0, 1e3])
    elif kind == "collapse of the hub":
        flows = off_diagonal(e.N)
        hub = int(np.argmax(flows.sum((0, 1)) + flows.sum((0, 2))))
        A[:, hub] = 0.01
        tau[:, hub, :] = tau[:, :, hub] = rng.choice([1.0, 2.0, 5.0])
    elif kind in ("productivity x100 in one economy", "theta 20 and productivity x100"):
        A[:, one] = 100
    elif kind == "productivity x100 in one sector":
        A[rng.integers(s), one] = rng.choice([100.0, 0.01])
    elif kind == "labour x100 or /100":
        L[one], L[other] = rng.choice([100.0, 0.01]), rng.choice([1.0, 100.0, 0.01])
    elif kind == "borders fall":
        t, x = np.zeros(shape), np.zeros(shape)
        tau = np.where(away > 0, rng.choice([0.3, 0.1, 0.03]), 1.0)
    else:  # everything at once
        size = float(rng.choice([0.3, 1.0] if kind == "one theta 65" else [0.7, 1.5, 3.0]))
        t = t + rng.uniform(0, size, shape) * away
        x = x + rng.uniform(-0.2, 0.2, shape) * min(size, 1) * away
        tau = np.exp(rng.uniform(-size, size, shape))
        A = np.exp(rng.uniform(-size, size, (s, n)))
        L = np.exp(rng.uniform(-size, size, n))
        if kind != "one theta 65":
            cut = rng.random(shape) < rng.choice([0.0, 0.2])
    for array, home in ((tau, 1.0), (cut, False)):
        np.einsum("rdd->rd", array)[...] = home
    return TradeShock(t=t, x=x, tau=tau, embargo=cut, A=A, L=L)
