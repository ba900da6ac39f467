"""Measures and screen of a list of flows, in plain Python: written apart from the expressions."""

from __future__ import annotations

import math
from collections import defaultdict


def sums(flows, key, amount):
    out = defaultdict(float)
    for f in flows:
        out[key(f)] += amount(f)
    return dict(out)


def shares(flows, side):
    """Economy -> product -> share of its exports or imports."""
    cells = sums(flows, lambda f: (f[side], f["product"]), lambda f: f["value"])
    totals = sums(flows, lambda f: f[side], lambda f: f["value"])
    out = defaultdict(dict)
    for (economy, product), value in cells.items():
        out[economy][product] = value / totals[economy]
    return out


def apart(a, b):
    """1 - half the sum of absolute differences of two sets of shares."""
    return 1 - sum(abs(a.get(p, 0) - b.get(p, 0)) for p in {*a, *b}) / 2


def rca(flows):
    world = sum(f["value"] for f in flows)
    of_product = sums(flows, lambda f: f["product"], lambda f: f["value"])
    return {
        (economy, product): s / (of_product[product] / world)
        for economy, row in shares(flows, "exporter").items()
        for product, s in row.items()
    }


def concentration(flows, economy_side, over):
    cells = sums(flows, lambda f: (f[economy_side], f[over]), lambda f: f["value"])
    by = defaultdict(list)
    for (economy, _), value in cells.items():
        by[economy].append(value)
    out = {}
    for economy, values in by.items():
        total, n = sum(values), len(values)
        mean = total / n
        out[economy] = (
            sum((v / total) ** 2 for v in values),
            sum(v / mean * math.log(v / mean) for v in values) / n,
        )
    return out


def screened(flows, buyer, members, product, *, friendly=(), weight=0.0, made=None, outside=False):
    """The three indicators of one buyer and product in value and in quantity."""
    mine = [f for f in flows if f["importer"] in members and f["product"] == product]
    sold = [
        f
        for f in flows
        if f["exporter"] in members
        and f["product"] == product
        and f["importer"] != f["exporter"]
        and not (outside and f["importer"] in members)
    ]
    out = {}
    for kind in ("value", "quantity"):
        by = defaultdict(float)
        plain = 0.0
        for f in mine:
            if f["exporter"] not in members:
                w = weight if f["exporter"] in friendly else 1.0
                by[f["exporter"]] += w * (f[kind] or 0.0)
                plain += f[kind] or 0.0
        total = sum(by.values())
        everything = sum(f[kind] or 0.0 for f in mine)
        able = sum(f[kind] or 0.0 for f in sold)
        if made is not None:
            able, everything = made[kind], plain + made[kind]
        out[kind] = (
            sum((v / total) ** 2 for v in by.values()) if total else None,
            total / everything,
            total / able if able else None,
        )
        if kind == "value" and total:
            top = max(by.values())
            out["main"] = (max(s for s, v in by.items() if v == top), top / total)
    return out
