"""Position in value chains: distance to final use and to primary inputs, length."""

from __future__ import annotations

import numpy as np

from entrepot.core.tables import Array
from entrepot.measure.accounts import Accounts, share
from entrepot.measure.row import Measure


def upstreamness_by_node(a: Accounts) -> Array:
    """Stages from a node's output to final use, itself included (N,): 1 for what is final at once.

    U = (I - H)^-1 1 with H = x^-1 A x the shares of output sold to each buyer
    (Antràs, Chor, Fally & Hillberry 2012; Antràs & Chor 2018):
    x U = B x, so one solve serves. NaN without output.
    """
    return share(a.sales(a.made), a.made)


def downstreamness_by_node(a: Accounts) -> Array:
    """Stages from primary inputs to a node's output, itself included (N,).

    D = 1 B, the column sums of the Leontief inverse (Miller & Temurshoev 2017;
    Antràs & Chor 2018). NaN without output.
    """
    return np.where(a.made > 0, a.costs(np.ones(a.N)), np.nan)


def upstreamness(a: Accounts) -> Array:
    """Upstreamness by economy and sector (n, s); see `upstreamness_by_node`."""
    return a.over_sectors(upstreamness_by_node(a))


def downstreamness(a: Accounts) -> Array:
    """Downstreamness by economy and sector (n, s); see `downstreamness_by_node`."""
    return a.over_sectors(downstreamness_by_node(a))


def export_upstreamness(a: Accounts) -> Array:
    """Upstreamness of an economy's exports (n,): the mean over sectors by gross exports."""
    return _by_exports(a, upstreamness_by_node(a))


def import_upstreamness(a: Accounts) -> Array:
    """Upstreamness of what an economy buys abroad (n,): the mean by gross imports."""
    stages = np.nan_to_num(upstreamness_by_node(a))
    return share(stages @ a.exports, a.exports.sum(0))


def economy_upstreamness(a: Accounts) -> Array:
    """Upstreamness of an economy's output (n,): the mean over sectors by output."""
    return _by_output(a, upstreamness_by_node(a))


def economy_downstreamness(a: Accounts) -> Array:
    """Downstreamness of an economy's output (n,): the mean over sectors by output."""
    return _by_output(a, downstreamness_by_node(a))


def _by_output(a: Accounts, stages: Array) -> Array:
    return share(a.by_economy(np.nan_to_num(stages) * a.made), a.by_economy(a.made))


def _by_exports(a: Accounts, stages: Array) -> Array:
    sold = a.exports.sum(1)
    return share(a.by_economy(np.nan_to_num(stages) * sold), a.by_economy(sold))


NO_OUTPUT = "an industry makes nothing"
ROWS = (
    Measure(
        "upstreamness",
        "Upstreamness",
        "position",
        "stages",
        ("region", "sector"),
        "Antràs, Chor, Fally & Hillberry (2012); Antràs & Chor (2018)",
        "How many stages of production lie between an industry's output and final use, its own "
        "included: 1 when all of it goes to final users at once, more the longer it travels as input.",
        upstreamness,
        absent=NO_OUTPUT,
    ),
    Measure(
        "downstreamness",
        "Downstreamness",
        "position",
        "stages",
        ("region", "sector"),
        "Miller & Temurshoev (2017); Antràs & Chor (2018)",
        "How many stages of production an industry's output holds, counted from primary inputs: 1 "
        "when it uses value added alone, more the longer its chain of inputs.",
        downstreamness,
        absent=NO_OUTPUT,
    ),
    Measure(
        "economy_upstreamness",
        "Upstreamness of an economy",
        "position",
        "stages",
        ("region",),
        "Antràs & Chor (2018): mean by output",
        "Upstreamness averaged over an economy's industries by their output.",
        economy_upstreamness,
        absent="an economy makes nothing",
    ),
    Measure(
        "economy_downstreamness",
        "Downstreamness of an economy",
        "position",
        "stages",
        ("region",),
        "Antràs & Chor (2018): mean by output",
        "Downstreamness averaged over an economy's industries by their output.",
        economy_downstreamness,
        absent="an economy makes nothing",
    ),
    Measure(
        "export_upstreamness",
        "Upstreamness of exports",
        "position",
        "stages",
        ("region",),
        "Antràs, Chor, Fally & Hillberry (2012): mean by exports",
        "How far from final use an economy's exports are: the mean of its industries' upstreamness by "
        "what they sell abroad.",
        export_upstreamness,
        absent="an economy exports nothing",
    ),
    Measure(
        "import_upstreamness",
        "Upstreamness of imports",
        "position",
        "stages",
        ("region",),
        "Antràs, Chor, Fally & Hillberry (2012): mean by imports",
        "How far from final use an economy's imports are: the mean of the selling industries' "
        "upstreamness by what it buys of them.",
        import_upstreamness,
        absent="an economy imports nothing",
    ),
)
