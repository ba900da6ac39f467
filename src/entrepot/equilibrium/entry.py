"""Entry under scale effects: producers that shut, stability, and whether there are other equilibria.

At given numbers of entrants M the model is the competitive one with unit costs
lowered by M^(scale / theta): one equilibrium, well behaved. What firms earn then
says who enters: d ln M / dt = ln(operating profit per entrant / cost of entry).
Where `scale` is one, profit stays finite as M goes to zero, so a producer may
shut for good; below one it never does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import EntrepotError, InfeasibleError, NotConvergedError
from entrepot.core.labels import some
from entrepot.equilibrium.economy import Economy, with_variant
from entrepot.equilibrium.equations import Point, market_size
from entrepot.equilibrium.iterate import Preconditioner
from entrepot.equilibrium.outcome import (
    Certificate,
    State,
    base_state,
    certify,
    new_state,
    require_certified,
)
from entrepot.equilibrium.problem import Closure
from entrepot.equilibrium.shock import TradeShock, fraction
from entrepot.equilibrium.solve import Solution, solve
from entrepot.equilibrium.tangent import Given, push, tangent
from entrepot.equilibrium.welfare import welfare

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

STEPS = 250  # rounds of entry
NEAR = 1e-3  # the log profit from which on the equations take over
SHUTS = -4.0  # log entrants from which on shutting is tried, and undone if firms would return
MOST_SHUT = 0.1  # the share of producers from which on the search is given up
MOST_CELLS = 400  # producers up to which stability is computed
SAME = 1e-6  # equilibria differ where real income does by more


@dataclass(frozen=True, eq=False)
class Equilibrium:
    """One certified equilibrium; `shut` (s, n) marks producers that left the market.

    `shock` is the one asked about with what the shut would have sold ruled out.
    `by` tells how it was found.
    """

    solution: Solution
    state: State
    shock: TradeShock
    shut: Mask
    certificate: Certificate
    by: str

    def real_income(self, e: Economy) -> Array:
        """Real income on the base's (n,)."""
        return welfare(e, base_state(e), self.state).real_income


def entrants(e: Economy, state: State) -> Array:
    """Hats of entrants (s, n): sales over unit cost; zero where shut, one where none ever were."""
    sold = state.N.sum(2)
    return np.where(e.sold > 0, sold / np.where(e.sold > 0, e.sold, 1) / state.c, 1.0)


def equilibrium(
    e: Economy,
    shock: TradeShock,
    *,
    closure: Closure = "world_share",
    begin: Point | None = None,
    pre: Preconditioner | None = None,
    tol: float = 1e-9,
) -> Equilibrium:
    """The equilibrium, producers shutting where free entry (scale one) makes them.

    `begin` and `pre` as in `solve`. Raises InfeasibleError or NotConvergedError, which
    names the likely cause.
    """
    nobody = np.zeros(e.va.shape, bool)
    try:
        return _certified(e, shock, nobody, closure, tol, "from the base", begin, pre=pre)
    except NotConvergedError as error:
        if not _may_shut(e).any():
            raise
        first = error
    try:
        return settle(e, shock, np.zeros(e.va.shape), closure=closure, tol=tol)
    except EntrepotError as error:
        why = str(error).split("; no numbers")[0].rstrip(".")
        kept = str(first).split(" Make the shock")[0]
        raise NotConvergedError(
            "No settled equilibrium under free entry (scale 1), where a sector that loses its markets "
            f"shuts for good: {why}. Use a scale below 1 (`variant: half-scale`), a coarser table, or "
            f"a smaller shock. All sectors kept open: {kept}"
        ) from None


def _certified(
    e: Economy,
    shock: TradeShock,
    shut: Mask,
    closure: Closure,
    tol: float,
    by: str,
    begin: Point | None = None,
    solution: Solution | None = None,
    pre: Preconditioner | None = None,
) -> Equilibrium:
    """Solve from a point, or take a solution at entrants that rest, and certify it."""
    shock = without(shock, shut)
    if solution is None:
        solution = solve(e, shock, closure=closure, begin=begin, pre=pre, tol=tol)
    state = new_state(e, shock, solution)
    certificate = certify(e, shock, state, tolerance=max(100 * tol, 1e-12))
    require_certified(certificate)
    return Equilibrium(solution, state, shock, shut, certificate, by)


def without(shock: TradeShock, shut: Mask) -> TradeShock:
    """A shock under which the producers `shut` (s, n) sell nothing."""
    return replace(shock, embargo=shock.embargo | shut[:, :, None]) if shut.any() else shock


def _may_shut(e: Economy) -> Mask:
    """Producers whose profit stays finite when they vanish (s, n)."""
    free = np.broadcast_to(e.variant.scale, e.theta.shape) == 1
    return free[:, None] & (e.sold > 0)


def held(e: Economy, shock: TradeShock, log_M: Array) -> tuple[Economy, TradeShock]:
    """The competitive economy and shock that the model is at given entrants (s, n), log hats."""
    lower = np.exp(-e.variant.by_cost(e.theta)[0] * log_M)
    fixed = with_variant(e, replace(e.variant, scale=np.zeros(())))
    return fixed, replace(shock, tau=shock.tau * lower[:, :, None])


def settle(
    e: Economy,
    shock: TradeShock,
    log_M: Array,
    *,
    closure: Closure = "world_share",
    tol: float = 1e-9,
    by: str = "by entry from the base",
) -> Equilibrium:
    """Follow entry from given entrants, log hats (s, n), to where no firm enters or leaves.

    Raises InfeasibleError or NotConvergedError where entry does not come to rest.
    """
    may = _may_shut(e)
    makes = e.sold > 0
    has = np.broadcast_to(e.variant.scale[..., None] > 0, e.va.shape) & makes
    log_M = np.where(has, log_M, 0.0)
    shut = np.zeros(e.va.shape, bool)
    least = np.full(e.va.shape, SHUTS)
    begin, rest, tried = None, 1.0, False
    pace, last = np.ones(e.va.shape), np.zeros(e.va.shape)
    for _ in range(STEPS):
        economy, moved = held(e, shock, np.where(shut, 0.0, log_M))
        moved = without(moved, shut)
        fine = float(np.clip(1e-3 * rest, 0.1 * tol, 1e-7))
        solution = solve(economy, moved, closure=closure, begin=begin, tol=fine)
        state = new_state(economy, moved, solution)
        begin = solution.point
        profit = log_profit(e, shock, state, np.where(shut, -np.inf, log_M))
        profit[~has] = 0
        back = shut & (profit > 0)
        if back.any():
            shut &= ~back
            log_M = np.where(back, least, log_M)
            least[back] *= 1.5
        active = has & ~shut
        rest = float(np.abs(profit[active]).max(initial=0))
        still = rest < tol
        if not back.any() and (still or (rest < NEAR and not tried)):
            tried, found = True, None
            with contextlib.suppress(*(() if still else (NotConvergedError,))):
                # Where the equations do not take over, entry goes on to the end.
                found = _certified(
                    e, shock, shut, closure, tol, by, begin, solution if still else None
                )
            if found is not None:
                first = log_profit(e, shock, found.state, np.where(shut, -np.inf, 0.0))
                if not (shut & (first > 0)).any():
                    return found
        step = np.where(active, profit, 0.0)
        # Entry and exit gather pace while they keep their direction.
        steady = np.sign(step) == np.sign(last)
        pace = np.clip(np.where(steady, 1.4 * pace, 0.3 * pace), 1, 1000)
        log_M, last = log_M + np.clip(pace * step, -1, 1), step
        shut |= may & (log_M < least) & (profit < 0)
        if shut.sum() > max(MOST_SHUT * shut.size, 12):
            raise NotConvergedError(
                f"one producer after another shuts ({some(e.cells(shut))} among the first "
                f"{int(shut.sum())}): entry moves away from the base."
            )
    raise NotConvergedError(
        f"entry does not come to rest within {STEPS} rounds, least so at {_farthest(e, step)}."
    )


def _farthest(e: Economy, profit: Array) -> str:
    mask = np.zeros(profit.shape, bool)
    mask.flat[int(np.abs(profit).argmax())] = True
    return e.cells(mask)[0]


def log_profit(e: Economy, shock: TradeShock, state: State, log_M: Array) -> Array:
    """Log of operating profit per entrant over the cost of entry, against the base (s, n).

    At entrants `log_M`; minus infinity for a shut producer, whose first entrant's is given.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        sold = np.log(state.N.sum(2) / e.sold)
        profit = np.where(e.sold > 0, sold - np.log(state.c) - log_M, 0.0)
    for r, o in np.argwhere(~np.isfinite(log_M)):
        # One flow at a time: pi (kappa c)^-theta P^theta X / T, as the first entrant's varieties sell.
        theta = e.theta[r]
        chi = float(e.variant.by_cost(e.theta)[1][r, 0])
        m = e.X.shape[1]
        width = max(a.shape[2] for a in (shock.t, shock.x, shock.tau, e.t, e.x))
        kappa = shock.kappa(e, (np.full(m, r), np.full(m, o), np.arange(m) % width))
        price = np.log(state.P[r]) + chi * market_size(e, state.X)[r]
        gain = theta * (price - np.log(kappa) - (1 + chi) * np.log(state.c[r, o]))
        t, x, lost = (
            (a[r, o] if a.shape[2] == m else e.on_users(a[r, o]))
            for a in (shock.t, shock.x, shock.embargo)
        )
        sales = e.pi[r, o] * np.exp(gain) * state.X[r] / ((1 + t) * (1 + x)) * ~lost
        with np.errstate(divide="ignore"):
            profit[r, o] = np.log(sales.sum() / e.sold[r, o]) - np.log(state.c[r, o])
    return np.asarray(profit)


@dataclass(frozen=True, slots=True)
class Stability:
    """How profits per entrant answer entry at an equilibrium: `J = d ln profit / d ln M`.

    Stable where the largest real part of its eigenvalues, `leading`, is below
    zero. `index` is the sign of det(-J): the indices of all equilibria sum to
    one, so -1 says that there are others.
    """

    leading: float
    index: int

    @property
    def stable(self) -> bool:
        """Whether a small departure from the entrants dies out."""
        return self.leading < 0


def stability(e: Economy, found: Equilibrium, closure: Closure = "world_share") -> Stability:
    """Local stability of entry, from the equations' exact derivative."""
    M = entrants(e, found.state)
    active = np.flatnonzero(
        (np.broadcast_to(e.variant.scale[..., None] > 0, M.shape) & (e.sold > 0) & (M > 0)).ravel()
    )
    if not active.size:
        return Stability(-np.inf, 1)
    economy, moved = held(e, found.shock, np.log(np.where(M > 0, M, 1)))
    tan = tangent(economy, moved, found.state, closure)
    s, n = e.va.shape
    size = 2 * (n + s * n)
    matrix = np.empty((size, size))
    for j in range(size):
        unit = np.zeros(size)
        unit[j] = 1
        matrix[:, j] = push(tan, Point.of(unit, s, n), flows=False)[1]
    psi = e.variant.by_cost(e.theta)[0]
    still = Point.of(np.zeros(size), s, n)
    moves = np.empty((size, active.size))
    for j, cell in enumerate(active):
        r, o = divmod(int(cell), n)
        tau = np.zeros((s, n, n))
        tau[r, o] = -psi[r, 0]
        moves[:, j] = push(tan, still, Given(tau=tau))[1]
    change = np.linalg.solve(matrix, -moves)
    costs, sales = change[n : n + s * n][active], change[n + s * n : n + 2 * s * n][active]
    J = sales - costs - np.eye(active.size)
    leading = float(np.linalg.eigvals(J).real.max())
    return Stability(leading, int(np.linalg.slogdet(-J)[0]))


@dataclass(frozen=True, eq=False)
class Search:
    """Equilibria found beside a known one, from how many starts, and the known one's stability."""

    others: tuple[Equilibrium, ...]
    starts: int
    ended: int  # starts that came to an equilibrium
    stability: Stability | None

    @property
    def unique(self) -> bool:
        """Whether nothing speaks for another equilibrium."""
        return not self.others and (self.stability is None or self.stability.index > 0)


def other_equilibria(
    e: Economy,
    shock: TradeShock,
    known: Equilibrium,
    *,
    closure: Closure = "world_share",
    starts: int = 8,
    seed: int = 0,
    tol: float = 1e-9,
) -> Search:
    """Look for equilibria other than a known one, under scale effects.

    Entry is followed from `starts` perturbed numbers of entrants (from `seed`, each
    with its mirror image), the equations are solved along growing shares of
    `scale` and along growing shares of the shock, and up to MOST_CELLS producers the known one's
    stability is computed. Equilibria are told apart by real income. Finding none
    is no proof that there is none.
    """
    size = e.va.size
    about = stability(e, known, closure) if size <= MOST_CELLS else None
    rng = np.random.default_rng(seed)
    incomes = [known.real_income(e)]
    others: list[Equilibrium] = []
    here = np.log(np.maximum(entrants(e, known.state), np.exp(SHUTS)))
    away: list[Array] = []
    for _ in range((starts + 1) // 2):
        step = rng.normal(0, 1, e.va.shape) + rng.normal(0, 2, len(e.regions))
        away += [here + step, here - step]
    tries: list[Callable[[], Equilibrium]] = [
        partial(
            settle, e, shock, log_M, closure=closure, tol=tol, by=f"by entry from start {i + 1}"
        )
        for i, log_M in enumerate(away[:starts])
    ]
    tries.append(partial(_by_scale, e, shock, closure, tol))
    tries.append(partial(_by_shock, e, shock, closure, tol))
    ended = 0
    for attempt in tries:
        try:
            found = attempt()
        except (NotConvergedError, InfeasibleError):
            continue
        ended += 1
        income = found.real_income(e)
        if min(np.abs(np.log(income / other)).max() for other in incomes) > SAME:
            incomes.append(income)
            others.append(found)
    return Search(tuple(others), len(tries), ended, about)


def _by_scale(e: Economy, shock: TradeShock, closure: Closure, tol: float) -> Equilibrium:
    """From perfect competition along growing shares of scale."""
    point = None
    for share in (0.0, 0.25, 0.5, 0.75, 0.9):
        part = with_variant(e, replace(e.variant, scale=share * e.variant.scale))
        point = solve(part, shock, closure=closure, begin=point, tol=1e-7).point
    nobody = np.zeros(e.va.shape, bool)
    return _certified(e, shock, nobody, closure, tol, "along growing scale", point)


def _by_shock(e: Economy, shock: TradeShock, closure: Closure, tol: float) -> Equilibrium:
    """From the base along growing shares of the shock."""
    point = None
    for share in (0.25, 0.5, 0.75):
        part = fraction(e, shock, share)
        point = solve(e, part, closure=closure, begin=point, tol=1e-7).point
    nobody = np.zeros(e.va.shape, bool)
    return _certified(e, shock, nobody, closure, tol, "along a growing shock", point)


def in_words(e: Economy, search: Search) -> list[str]:
    """What a search found, in sentences; empty where it found nothing to say."""
    lines = []
    for other in search.others:
        gap = np.abs(np.log(other.real_income(e)))
        i = int(gap.argmax())
        shut = f", with {some(e.cells(other.shut))} shut" if other.shut.any() else ""
        lines.append(
            f"another equilibrium exists (found {other.by}){shut}: there real income of "
            f"{e.regions[i]} changes by {100 * (other.real_income(e)[i] - 1):+.2f} %"
        )
    about = search.stability
    if about is not None and not about.stable:
        lines.append(
            f"the equilibrium shown is unstable: entry moves away from it (leading eigenvalue "
            f"{about.leading:+.3f})"
        )
    if about is not None and about.index < 0 and not search.others:
        lines.append("there must be other equilibria (index -1), though none was found")
    return lines
