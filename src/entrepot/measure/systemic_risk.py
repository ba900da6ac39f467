"""The Economic Systemic Risk Index: how much of all output goes when one producer, or a share, goes.

Losses run down a network from suppliers to buyers, whose essential inputs bind
(a generalized Leontief technology), and up it from buyers to suppliers, and the
larger of the two counts.

Sources: Diem, Borsos, Reisch, Kertész & Thurner (2022), "Quantifying firm-level
economic systemic risk from nation-wide supply networks", Scientific Reports 12,
7719, Methods; Pichler, Pangallo, del Rio-Chanona, Lafond & Farmer (2022), on
essential inputs by industry.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from entrepot.core.errors import NotConvergedError, WorldError
from entrepot.core.tables import Array
from entrepot.measure.cascade import BATCH, Cascade, Index, Settled, cascade, iterate, settle

GOODS = frozenset(range(1, 40))  # ISIC Rev.4 divisions of sections A to E
Rule = Literal["all", "goods", "none"]
Stop = Literal["bound", "change"]


@dataclass(frozen=True, eq=False)
class SystemicRisk:
    """The index of k shocks.

    - `esri` (k,): the share of all size (out-strength, or output where given) that is lost,
      the shocked nodes' own included;
    - `direct` (k,): the share lost by the shock itself;
    - `error` (k,): the exact index lies in [esri, esri + error];
    - `residual` (k,): the largest change of any node in the last step, both ways;
    - `steps` (k,): applications of the two maps, those spent on the bound included;
    - `h_down`, `h_up` (k, N): what each node still makes, of 1, as losses come from
      its suppliers and from its buyers; None unless asked for.
    """

    esri: Array
    direct: Array
    error: Array
    residual: Array
    steps: NDArray[np.int64]
    h_down: Array | None = None
    h_up: Array | None = None


def essential_inputs(rule: Rule, isic: Sequence[Sequence[int]]) -> NDArray[np.int8]:
    """Which inputs are essential, (S, S) by sector of supplier and buyer: 2 essential, 1 not.

    `isic` lists the ISIC Rev.4 divisions of each sector. The rules are assumptions,
    simple on purpose; the paper rates pairs of industries by survey (Pichler et al. 2022):

    - `all`: every input is essential to every buyer;
    - `goods`: goods are (divisions 1 to 39: farming, mining, manufacturing, energy,
      water), construction and services are not;
    - `none`: no input is, and every technology is linear.

    Raises WorldError for an unknown rule, and under `goods` for a sector without
    divisions or with both kinds.
    """
    count = len(isic)
    if rule == "all":
        return np.full((count, count), 2, np.int8)
    if rule == "none":
        return np.ones((count, count), np.int8)
    if rule != "goods":
        raise WorldError(f"no rule {rule!r} of essential inputs; there are all, goods and none.")
    kind = np.ones((count, count), np.int8)
    for k, divisions in enumerate(isic):
        goods = [d in GOODS for d in divisions]
        if not goods or any(goods) != all(goods):
            raise WorldError(
                f"sector {k} covers ISIC divisions {list(divisions)}: neither goods nor services "
                "alone; give a matrix of essential inputs instead of 'goods'."
            )
        kind[k] = 2 if goods[0] else 1
    return kind


def systemic_risk(
    W: ArrayLike,
    sector_of: ArrayLike,
    essential: ArrayLike,
    *,
    size: ArrayLike | None = None,
    replaceable: bool = False,
    shocks: ArrayLike | None = None,
    nodes: ArrayLike | None = None,
    tol: float = 1e-8,
    stop: Stop = "bound",
    dtype: type[np.floating[Any]] = np.float64,
    max_steps: int = 10_000,
    keep: bool = False,
) -> SystemicRisk:
    """The Economic Systemic Risk Index of every node, of `nodes`, or of given shocks.

    With psi_i what node i can still make, of 1 (Diem et al. 2022, Methods):

        h^d_i = min(psi_i, min_k 1 - sum_(j in k) sigma_j W_ji (1 - h^d_j) / sum_(j in k) W_ji,
                    1 - sum_(j not essential) sigma_j W_ji (1 - h^d_j) / sum_(all j) W_ji)
        h^u_i = min(psi_i, sum_j W_ij h^u_j / s_i + (1 - sum_j W_ij / s_i))
        index = sum_i s_i (1 - min(h^d_i, h^u_i)) / sum_i s_i

    k over the supplier sectors essential to i's sector. Both systems are solved for
    their largest solution, which is where iterating from 1 ends.

    Parameters
    ----------
    W : (N, N), what i sells to j; what a node sells itself counts as an input like others.
    sector_of : (N,), a sector 0..S-1 of each node.
    essential : (S, S) by sector of supplier and buyer: 2 essential, 1 not, 0 without influence.
    size : (N,), s_i; by default, as in the paper, the out-strength, which leaves no sales
        outside W. Gross output, final sales included, is what a table of sectors needs: final
        sales are then not affected. Without them almost every node of a dense table
        passes its loss on to all others in full.
    replaceable : sigma_j = min(1, s_j / sum over j's sector of s_l h^d_l), so that a supplier
        counts as much as its share of what its sector still makes; else sigma_j = 1.
    shocks : (k, N), psi; by default each node (of `nodes`) removed in turn, psi_i = 0.
    stop : `bound`: the index of each shock is known to within `tol`, by a checked bound.
        `change`: plain iteration from 1 until no node changes by more than `tol` in a step,
        as in the paper (tol = 1e-2); such a step bounds nothing, so `error` is 1 - esri.
    dtype : numpy.float32 halves the time; for tol of 1e-4 and above.
    keep : also return h_down and h_up.

    Where losses do not leak (no replacement, and no sales outside W) the largest solution
    on a dense table is the collapse of everything; plain iteration hides this by stopping.

    Raises WorldError for arrays that do not fit or are out of range; NotConvergedError
    where max_steps do not suffice.

    """
    W, sector, kind, s = _checked(W, sector_of, essential, size)
    dtype_ = np.dtype(dtype)
    if dtype_ not in (np.float32, np.float64):
        raise WorldError(f"dtype is {dtype_}; float64 or float32 was expected.")
    if stop not in ("bound", "change"):
        raise WorldError(f"stop is {stop!r}; 'bound' or 'change' was expected.")
    if not tol >= (1e-12 if dtype_ == np.float64 else 1e-4):
        raise WorldError(f"tol is {tol}: float64 reaches 1e-12, float32 1e-4.")
    order = np.argsort(sector, kind="stable")
    n = len(order)
    psi, removed = _shocks(shocks, nodes, n)
    back = np.empty(n, np.intp)
    back[order] = np.arange(n)
    W, sector, s = W[np.ix_(order, order)], sector[order], s[order]

    weight = s / s.sum()
    share = _shares(s, sector) if replaceable else None
    traps = stop == "bound"
    inputs = _inputs(W, sector, kind)

    def downstream(sure: NDArray[np.bool_] | None) -> Cascade:
        return cascade(inputs, kind, sector, share, sure=sure, traps=traps, dtype=dtype_)

    down = downstream(None)
    sales = np.divide(W.T, s, out=np.zeros_like(W), where=s > 0)
    del W
    up = cascade(sales, np.ones_like(kind), sector, traps=traps, dtype=dtype_)
    hits = _hits(up) if psi is None and stop == "bound" else None

    parts = []
    for begin in range(0, len(removed if psi is None else psi), BATCH):
        start = None
        if psi is None:
            gone = back[removed[begin : begin + BATCH]]
            floor = np.zeros((len(gone), n), dtype_)
            floor[np.arange(len(gone)), gone] = 1
            if hits is not None:
                start = _reached(hits, up, gone).astype(dtype_)
        else:
            floor = (1 - psi[begin : begin + BATCH, order]).astype(dtype_)
        parts.append(_batch(down, up, downstream, floor, start, weight, tol, stop, max_steps, keep))
    whole = SystemicRisk(*(np.concatenate(x) for x in zip(*map(_numbers, parts), strict=True)))
    if not keep:
        return whole
    h = [np.concatenate([getattr(p, x) for p in parts])[:, back] for x in ("h_down", "h_up")]
    return replace(whole, h_down=h[0], h_up=h[1])


def world_systemic_risk(
    Z: ArrayLike,
    sector_of: ArrayLike,
    essential: ArrayLike,
    size: ArrayLike,
    *,
    replaceable: bool = True,
    shocks: ArrayLike | None = None,
    nodes: ArrayLike | None = None,
    tol: float = 1e-8,
    keep: bool = False,
) -> SystemicRisk:
    """The index on a table of sectors by region, in the one reading that means something there.

    Arguments, units and errors as for `systemic_risk`, with two conventions:

    - `size` (N,) is gross output. Final sales are unaffected by what buyers in Z lose,
      so that losses leak on their way up. Where final use draws down stocks below
      zero in total, output is less than what Z sells; take the larger of the two.
    - suppliers are `replaceable` by others of their sector in any region, in proportion
      to what the sector still makes, so that losses leak on their way down. Purchases
      from one sector are summed over regions, home and foreign alike.

    Without either a dense table has no ways out, and the removal of almost any node
    ends in the loss of everything (`systemic_risk`).
    """
    return systemic_risk(
        Z,
        sector_of,
        essential,
        size=size,
        replaceable=replaceable,
        shocks=shocks,
        nodes=nodes,
        tol=tol,
        keep=keep,
    )


def _numbers(part: SystemicRisk) -> tuple[Any, ...]:
    return part.esri, part.direct, part.error, part.residual, part.steps


def _batch(
    down: Cascade,
    up: Cascade,
    downstream: Callable[[NDArray[np.bool_]], Cascade],
    floor: Array,
    start: Array | None,
    weight: Array,
    tol: float,
    stop: Stop,
    max_steps: int,
    keep: bool,
) -> SystemicRisk:
    """The index of one batch of shocks; `start` losses upstream where they are known."""
    found = []
    for c, begin, retrap in ((down, None, downstream), (up, start, None)):
        at = floor if begin is None else begin
        if stop == "bound":
            at = c.lift(at.copy())
            found.append(settle(c, at, floor, weight, tol / 2, max_steps, retrap))
        else:
            # Step one from h = 1 is the shock itself.
            loss, change, steps = iterate(c, at, floor, np.full(len(at), tol), max_steps)
            if (change > tol).any():
                raise NotConvergedError(
                    f"nodes still change by {change.max():.1e} a step after {max_steps:,} steps, "
                    f"more than {tol:.1e}; raise max_steps or tol."
                )
            found.append(Settled(loss, np.ones_like(loss), change, steps))
    loss = np.maximum(found[0].loss, found[1].loss).astype(np.float64)
    bound = np.maximum(found[0].bound, found[1].bound).astype(np.float64)
    esri = np.minimum(loss @ weight, 1)
    return SystemicRisk(
        esri=esri,
        direct=floor.astype(np.float64) @ weight,
        error=np.maximum((bound - loss) @ weight, 0),
        residual=np.maximum(found[0].residual, found[1].residual),
        steps=found[0].steps + found[1].steps,
        h_down=1 - found[0].loss if keep else None,
        h_up=1 - found[1].loss if keep else None,
    )


def _inputs(W: Array, sector: Index, kind: NDArray[np.int8]) -> Array:
    """What a supplier is of a buyer's inputs (N, N): of its own sector's, or of all.

    Of the sector's where that is essential to the buyer; of all inputs where it is
    not; zero where it has no influence.
    """
    total = W.sum(0)
    D = np.zeros_like(W)
    first = np.flatnonzero(np.diff(sector, prepend=-1))
    for a, b in zip(first, [*first[1:], len(sector)], strict=True):
        use = kind[sector[a]][sector]
        base = np.where(use == 2, W[a:b].sum(0), total)
        np.divide(W[a:b], base, out=D[a:b], where=(base > 0) & (use > 0))
    return D


def _shares(s: Array, sector: Index) -> Array:
    """Size of each node in its sector's, zero where the sector has none."""
    whole = np.bincount(sector, s)[sector]
    return np.divide(s, whole, out=np.zeros_like(s), where=whole > 0)


def _hits(up: Cascade) -> Array:
    """(I - U)^-1 (N, N) of the upstream map, its closed classes cut open.

    Without a floor but the removed node the upstream losses are probabilities of
    ever reaching it: N_ic / N_cc.
    """
    U = np.zeros((up.nodes, up.nodes))
    if up.linear is not None:
        U[:, up.linear_rows] = up.linear.T
    return np.asarray(np.linalg.inv(np.eye(up.nodes) - U), np.float64)


def _reached(hits: Array, up: Cascade, gone: Index) -> Array:
    """Upstream losses (k, N) when each node of `gone` is removed.

    All members of a closed class lose everything with any one of them.
    """
    loss = (hits[:, gone] / hits[gone, gone]).T
    for members in up.together:
        inside = np.isin(gone, members)
        loss[inside] = hits[:, members].sum(1)
    return np.clip(loss, 0, 1)


def _checked(
    W: ArrayLike, sector_of: ArrayLike, essential: ArrayLike, size: ArrayLike | None
) -> tuple[Array, Index, NDArray[np.int8], Array]:
    """The arrays of the network, or a WorldError."""
    W, kind, sector = np.asarray(W, np.float64), np.asarray(essential), np.asarray(sector_of)
    n = len(W)
    if W.shape != (n, n) or n == 0:
        raise WorldError(f"the network has shape {W.shape}; a square one was expected.")
    if not np.isfinite(W).all() or (W < 0).any():
        raise WorldError("the network holds flows that are negative or not finite.")
    if kind.ndim != 2 or kind.shape[0] != kind.shape[1] or not np.isin(kind, (0, 1, 2)).all():
        raise WorldError(
            "essential must be a square matrix by sector of supplier and buyer, of 2 (essential), "
            "1 (not essential) and 0 (no influence)."
        )
    if sector.shape != (n,) or not np.issubdtype(sector.dtype, np.integer):
        raise WorldError(f"sector_of needs one whole number a node, {n} of them.")
    if sector.min() < 0 or sector.max() >= len(kind):
        raise WorldError(f"sector_of names sectors outside 0..{len(kind) - 1}, those of essential.")
    sold = W.sum(1)
    s = sold if size is None else np.asarray(size, np.float64)
    if s.shape != (n,) or not np.isfinite(s).all() or (s < 0).any():
        raise WorldError(f"size needs one number a node, {n} of them, none negative.")
    over = sold > s * (1 + 1e-9)
    if over.any():
        i = int(np.argmax(sold - s))
        raise WorldError(
            f"node {i} sells {sold[i]:.6g} inside the network, more than its size {s[i]:.6g} "
            f"({int(over.sum())} such nodes): size must hold all sales."
        )
    if s.sum() <= 0:
        raise WorldError("nothing is sold in this network: there is no index.")
    return W, sector.astype(np.intp), kind.astype(np.int8), np.maximum(s, sold)


def _shocks(
    shocks: ArrayLike | None, nodes: ArrayLike | None, n: int
) -> tuple[Array | None, Index]:
    """Shocks psi (k, N), or None and the nodes to remove one at a time."""
    if shocks is not None and nodes is not None:
        raise WorldError("give shocks or nodes, not both.")
    if nodes is not None:
        chosen = np.asarray(nodes)
        whole = chosen.ndim == 1 and chosen.size and np.issubdtype(chosen.dtype, np.integer)
        if not whole or chosen.min() < 0 or chosen.max() >= n:
            raise WorldError(f"nodes needs whole numbers in 0..{n - 1}.")
        return None, chosen.astype(np.intp)
    if shocks is None:
        return None, np.arange(n)
    psi = np.asarray(shocks, np.float64)
    if psi.ndim != 2 or psi.shape[1] != n or not len(psi):
        raise WorldError(f"shocks have shape {psi.shape}; (k, {n}) was expected.")
    if not ((psi >= 0) & (psi <= 1)).all():
        raise WorldError("shocks say what a node can still make, of 1: in 0..1.")
    return psi, np.zeros(0, np.intp)
