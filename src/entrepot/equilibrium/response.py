"""First-order answers: gradients of any outcome, and the response of everything to a change.

Both solve one linear system, the equations' derivative at a solved equilibrium
or its transpose, by preconditioned GMRES, and end with their own residual.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import NotConvergedError, ScenarioError
from entrepot.core.labels import did_you_mean
from entrepot.equilibrium.economy import Economy
from entrepot.equilibrium.equations import Point
from entrepot.equilibrium.iterate import Preconditioner, precondition
from entrepot.equilibrium.outcome import State
from entrepot.equilibrium.problem import Closure
from entrepot.equilibrium.shock import TradeShock
from entrepot.equilibrium.solve import COARSE_FROM
from entrepot.equilibrium.tangent import (
    Given,
    Moves,
    Tangent,
    lowered,
    pull,
    push,
    require_shapes,
    tangent,
)

Array = NDArray[np.float64]

TOLERANCE = 1e-8  # of the linear solve, relative
WITH_RESPECT_TO = {
    "tariffs": "t",
    "export_taxes": "x",
    "trade_costs": "tau",
    "productivity": "A",
    "labour": "L",
    "transfers": "D",
    "elasticities": "theta",
}


@dataclass(frozen=True, eq=False)
class Linear:
    """One equilibrium with its derivative and what is needed to solve with it."""

    tangent: Tangent
    pre: Preconditioner

    @cached_property
    def inner(self) -> Tangent:
        """The derivative that the inner steps of a linear solve use."""
        tan = self.tangent
        return lowered(tan) if tan.e.pi.size >= COARSE_FROM else tan

    @property
    def shape(self) -> tuple[int, int]:
        """Sectors and regions."""
        s, n = self.tangent.e.va.shape
        return s, n


def linearise(
    e: Economy,
    shock: TradeShock,
    state: State,
    *,
    closure: Closure = "world_share",
    deficit: Array | None = None,
    pre: Preconditioner | None = None,
) -> Linear:
    """The linear world around a solved state of `e` under a shock (`no_shock` for the base).

    `closure` and `deficit` as they were in `solve`. `pre` is the linear response
    used to precondition; made at the state when None.
    """
    tan = tangent(e, shock, state, closure, deficit)
    if pre is None:
        here = replace(e, t=shock.t, x=shock.x, g=state.g, va=state.va, alpha=state.alpha)
        here = replace(here, I=state.I, V=state.V, D=state.D)
        pre = precondition(here, state.pi, state.X)
    return Linear(tan, pre)


@dataclass(frozen=True, eq=False)
class Response:
    """What a small change of something given does; per unit of that change.

    `moves` holds every variable (`Moves`); `income`, `real_income`, `real_wage` and
    `price` (n,) are changes of logs. `residual` of the linear solve, relative;
    `unknowns` what it found, `given` what was asked.
    """

    moves: Moves
    unknowns: Point
    given: Given
    residual: float

    @property
    def income(self) -> Array:
        """Log income (n,)."""
        return self._of("I")

    @property
    def price(self) -> Array:
        """Log price of final use (n,)."""
        return self._of("P_final")

    @property
    def real_income(self) -> Array:
        """Log real income (n,)."""
        return self._of("I") - self._of("P_final")

    @property
    def real_wage(self) -> Array:
        """Log real wage (n,)."""
        return self._of("w") - self._of("P_final")

    def _of(self, name: str) -> Array:
        return np.asarray(getattr(self.moves, name))


def respond(linear: Linear, given: Given) -> Response:
    """The response of everything to a change of what is given (forward mode).

    Raises NotConvergedError where the linear system cannot be solved.
    """
    require_shapes(linear.tangent, given)
    s, n = linear.shape
    still = Point.of(np.zeros(2 * n + 2 * s * n), s, n)
    _, pushed = push(linear.tangent, still, given)

    def apply(v: Array, tan: Tangent) -> Array:
        return push(tan, Point.of(v, s, n), flows=False)[1]

    v, residual = _solve(linear, apply, -pushed, linear.pre.answer)
    moves, _ = push(linear.tangent, Point.of(v, s, n), given)
    return Response(moves, Point.of(v, s, n), given, residual)


@dataclass(frozen=True, eq=False)
class Outcome:
    """A scalar of the equilibrium, as weights on `Moves`; outcomes add and scale.

    Any smooth scalar has one: its partial derivatives are the weights.
    """

    name: str
    weights: Moves

    def __add__(self, other: Outcome) -> Outcome:
        merged = {}
        for f in fields(Moves):
            a, b = getattr(self.weights, f.name), getattr(other.weights, f.name)
            merged[f.name] = b if a is None else a if b is None else a + b
        return Outcome(f"{self.name} + {other.name}", Moves(**merged))

    def __mul__(self, by: float) -> Outcome:
        parts = {f.name: getattr(self.weights, f.name) for f in fields(Moves)}
        scaled = {k: None if v is None else by * v for k, v in parts.items()}
        return Outcome(f"{by:g} x {self.name}", Moves(**scaled))

    __rmul__ = __mul__

    def __neg__(self) -> Outcome:
        return -1.0 * self

    def __sub__(self, other: Outcome) -> Outcome:
        return self + (-1.0) * other


def outcome(state: State, name: str, at: Array) -> Outcome:
    """A named outcome, with weights `at` of the shape it says.

    In logs, weights (n,): `real_income`, `real_wage`, `income`, `wage`, `price`.
    In logs, weights (s, n): `output` (its volume), `cost`. In million USD:
    `output_value` (s, n), `sales` and `border` (s, n, n), `revenue`,
    `tariff_revenue`, `deficit` (n,). Raises ScenarioError for any other.
    """
    if name not in OUTCOMES:
        raise ScenarioError(
            f"there is no outcome {name!r}{did_you_mean(name, OUTCOMES) or '.'} "
            f"Known: {', '.join(OUTCOMES)}."
        )
    axes, weights = OUTCOMES[name]
    at = np.asarray(at, float)
    expected = {1: state.w.shape, 2: state.Y.shape, 3: state.N.shape}[axes]
    if at.shape != expected:
        raise ScenarioError(f"{name} has weights of shape {at.shape}; {expected} was expected.")
    return Outcome(name, weights(at, state))


def _volume(at: Array, state: State) -> Moves:
    return Moves(Y=np.divide(at, state.Y, out=np.zeros_like(at), where=state.Y > 0), c=-at)


OUTCOMES: dict[str, tuple[int, Callable[[Array, State], Moves]]] = {
    "real_income": (1, lambda a, _: Moves(I=a, P_final=-a)),
    "real_wage": (1, lambda a, _: Moves(w=a, P_final=-a)),
    "income": (1, lambda a, _: Moves(I=a)),
    "wage": (1, lambda a, _: Moves(w=a)),
    "price": (1, lambda a, _: Moves(P_final=a)),
    "output": (2, _volume),
    "cost": (2, lambda a, _: Moves(c=a)),
    "output_value": (2, lambda a, _: Moves(Y=a)),
    "sales": (3, lambda a, _: Moves(sales=a)),
    "border": (3, lambda a, _: Moves(border=a)),
    "revenue": (1, lambda a, _: Moves(revenue=a)),
    "tariff_revenue": (1, lambda a, _: Moves(tariff_revenue=a)),
    "deficit": (1, lambda a, _: Moves(D=a)),
}
"""Named outcomes: number of axes of their weights ((n,), (s, n) or (s, n, n)), and the weights."""


@dataclass(frozen=True, eq=False)
class Gradient:
    """The gradient of a scalar outcome; axes as in `TradeShock`, None where not asked.

    `tariffs`, `export_taxes` per unit of the rate (0.01 is one percentage point)
    and `trade_costs` per log of the iceberg factor, (s, n, n), or (s, n, m) where
    asked by user; `productivity` (s, n) and `labour` (n,) per log; `transfers` (n,)
    per million USD of base deficit, defined up to one number common to all, as
    deficits sum to zero; `elasticities` (s,) per unit of theta. `residual` of the
    adjoint, relative.
    """

    outcome: str
    residual: float
    tariffs: Array | None = None
    export_taxes: Array | None = None
    trade_costs: Array | None = None
    productivity: Array | None = None
    labour: Array | None = None
    transfers: Array | None = None
    elasticities: Array | None = None


def gradient(
    linear: Linear,
    of: Outcome,
    with_respect_to: str | tuple[str, ...] = ("tariffs",),
    *,
    by_user: bool = False,
) -> Gradient:
    """The gradient of one scalar with respect to everything asked for, by one adjoint solve.

    Parameters
    ----------
    with_respect_to : of `WITH_RESPECT_TO`.
    by_user : give border instruments by user group too, not summed over groups.

    Method: the implicit function theorem; with misses m(u, z) = 0, the gradient is
    F_z - m_z' l, where m_u' l = F_u. Raises ScenarioError for an unknown name, and
    NotConvergedError where the adjoint system cannot be solved.

    """
    if isinstance(with_respect_to, str):
        with_respect_to = (with_respect_to,)
    if bad := [k for k in with_respect_to if k not in WITH_RESPECT_TO]:
        raise ScenarioError(
            f"there is no gradient with respect to {bad[0]!r}"
            f"{did_you_mean(bad[0], WITH_RESPECT_TO) or '.'} Known: {', '.join(WITH_RESPECT_TO)}."
        )
    tan = linear.tangent
    e = tan.e
    require_shapes(tan, of.weights)
    if "elasticities" in with_respect_to and e.variant.selects:
        raise ScenarioError(
            "with selection of firms the gradient with respect to elasticities is not defined here: "
            "it depends on what is held fixed."
        )
    s, n = linear.shape
    none = np.zeros(2 * n + 2 * s * n)
    wanted = tuple(WITH_RESPECT_TO[k] for k in with_respect_to)
    weights, _ = pull(tan, none, of.weights)

    def apply(v: Array, tan: Tangent) -> Array:
        return pull(tan, v)[0]

    adjoint, residual = _solve(linear, apply, weights, linear.pre.answer_transposed)
    _, back = pull(tan, -adjoint, of.weights, wanted=wanted)
    found = {}
    for name in with_respect_to:
        key = WITH_RESPECT_TO[name]
        value = getattr(back, key)
        if key in ("t", "x", "tau"):
            if key != "tau":
                value = value / (1 + e.wide(getattr(tan.shock, key)))
                value = value * ~np.eye(n, dtype=bool)[:, None, :]
            value = value.reshape(s, n, -1) if by_user else value.sum(2)
        found[name] = value
    return Gradient(of.name, residual, **found)


def _solve(
    linear: Linear,
    apply: Callable[[Array, Tangent], Array],
    right: Array,
    answer: Callable[[Array], Array],
) -> tuple[Array, float]:
    """GMRES (Saad & Schultz 1986), preconditioned from the right by minus `answer`.

    Large problems take the inner steps in single precision; every round starts
    from the true residual.
    """
    from scipy.sparse.linalg import LinearOperator, gmres

    size = float(np.linalg.norm(right))
    if size == 0:
        return np.zeros_like(right), 0.0
    inner = linear.inner
    least = 1e-12 if inner is linear.tangent else 1e-5
    operator = LinearOperator(
        (right.size,) * 2, matvec=lambda y: apply(-answer(y), inner), dtype=float
    )
    v, left, residual = np.zeros_like(right), right, 1.0
    for _ in range(8):
        goal = max(0.3 * TOLERANCE / residual, least)
        y, _ = gmres(operator, left, rtol=goal, restart=40, maxiter=1)
        v = v - answer(y)
        left = right - apply(v, linear.tangent)
        residual = float(np.linalg.norm(left)) / size
        if residual <= TOLERANCE:
            return v, residual
    raise NotConvergedError(
        f"The linear response was not found: its residual is {residual:.1e} (tolerance "
        f"{TOLERANCE:.0e}). Elasticities may be too large for it, or the equilibrium be near a point "
        "where it is not locally unique."
    )
