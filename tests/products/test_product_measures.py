"""Measures against plain Python, closed forms, and limits."""

import itertools

import ibis
import plain_trade as reference
import pytest

from entrepot.core.errors import DataError
from entrepot.products import measures, similarity
from entrepot.products.execute import records

YEAR = 2021


@pytest.fixture
def flows(trade):
    return records(trade.filter(trade.year == YEAR))


def of(expression, *keys):
    """Rows of a year by keys."""
    rows = records(expression.filter(expression.year == YEAR))
    found = {tuple(r[k] for k in keys): r for r in rows}
    assert len(found) == len(rows)
    return found


def table(rows):
    """Flows (exporter, importer, product, value, quantity) as a table."""
    names = ("exporter", "importer", "product", "value", "quantity")
    data = [dict(zip(names, row, strict=True)) | {"year": YEAR} for row in rows]
    types = dict.fromkeys(("exporter", "importer", "product"), "string")
    schema = {"year": "int32", **types, "value": "float64", "quantity": "float64"}
    columns = {c: [r[c] for r in data] for c in schema}
    return ibis.memtable(columns, schema=ibis.schema(schema))


def test_digits_sum_values_and_the_quantities_there_are(trade, flows):
    found = of(measures.at_digits(trade, 4), "exporter", "importer", "product")
    assert sum(r["value"] for r in found.values()) == pytest.approx(
        sum(f["value"] for f in flows), rel=1e-12
    )
    for (exporter, importer, product), row in found.items():
        parts = [
            f
            for f in flows
            if (f["exporter"], f["importer"]) == (exporter, importer)
            and f["product"].startswith(product)
        ]
        tons = [f["quantity"] for f in parts if f["quantity"] is not None]
        covered = sum(f["value"] for f in parts if f["quantity"] is not None)
        assert row["quantity"] == (pytest.approx(sum(tons)) if tons else None)
        assert row["covered_value"] == pytest.approx(covered)
    twice = measures.at_digits(measures.at_digits(trade, 4), 2)
    once = of(measures.at_digits(trade, 2), "exporter", "importer", "product")
    for key, row in of(twice, "exporter", "importer", "product").items():
        assert row["covered_value"] == pytest.approx(once[key]["covered_value"], rel=1e-12)
    with pytest.raises(DataError, match="2, 4 or 6"):
        measures.at_digits(trade, 3)


@pytest.mark.parametrize("flow", ["exports", "imports"])
@pytest.mark.parametrize("over", ["partners", "products"])
def test_concentration(trade, flows, flow, over):
    side, partner = ("exporter", "importer") if flow == "exports" else ("importer", "exporter")
    expected = reference.concentration(flows, side, partner if over == "partners" else "product")
    found = of(measures.concentration(trade, flow, over), "economy")
    assert {e for (e,) in found} == set(expected)
    for economy, (herfindahl, theil) in expected.items():
        row = found[economy,]
        assert row["herfindahl"] == pytest.approx(herfindahl, rel=1e-12)
        assert row["theil"] == pytest.approx(theil, rel=1e-9)
        assert row["effective_number"] == pytest.approx(1 / herfindahl, rel=1e-12)
        assert (row["flow"], row["over"]) == (flow, over)


def test_concentration_of_equal_and_of_single_partners():
    rows = [("AAA", x, "01", 5.0, None) for x in ("BBB", "CCC", "DDD", "EEE")]
    rows.append(("BBB", "AAA", "01", 2.0, None))
    rows.append(("BBB", "CCC", "01", 0.0, None))  # no trade: not a partner
    found = of(measures.concentration(table(rows), "exports", "partners"), "economy")
    assert found["AAA",]["herfindahl"] == pytest.approx(1 / 4)
    assert found["AAA",]["effective_number"] == pytest.approx(4)
    assert found["AAA",]["theil"] == pytest.approx(0, abs=1e-15)
    assert (found["BBB",]["n"], found["BBB",]["herfindahl"], found["BBB",]["theil"]) == (1, 1, 0)


def test_revealed_advantage(trade, flows):
    expected = reference.rca(flows)
    found = of(measures.revealed_advantage(trade), "economy", "product")
    assert set(found) == set(expected)
    for key, value in expected.items():
        assert found[key]["rca"] == pytest.approx(value, rel=1e-12)
        assert found[key]["rsca"] == pytest.approx((value - 1) / (value + 1), rel=1e-9)
    # Weighted by the product's share in the world, an economy's index averages 1.
    world = sum(f["value"] for f in flows)
    share = reference.sums(flows, lambda f: f["product"], lambda f: f["value"] / world)
    for economy in {e for e, _ in found}:
        mean = sum(r["rca"] * share[p] for (e, p), r in found.items() if e == economy)
        assert mean == pytest.approx(1, rel=1e-12)


def test_grubel_lloyd(trade, flows):
    x = reference.sums(flows, lambda f: (f["exporter"], f["product"]), lambda f: f["value"])
    m = reference.sums(flows, lambda f: (f["importer"], f["product"]), lambda f: f["value"])
    found = of(measures.grubel_lloyd(trade), "economy", "product")
    assert set(found) == {*x, *m}
    for key, row in found.items():
        a, b = x.get(key, 0), m.get(key, 0)
        assert row["grubel_lloyd"] == pytest.approx(1 - abs(a - b) / (a + b), abs=1e-12)
    for (economy,), row in of(measures.grubel_lloyd(trade, ()), "economy").items():
        mine = [k for k in found if k[0] == economy]
        off = sum(abs(x.get(k, 0) - m.get(k, 0)) for k in mine)
        total = sum(x.get(k, 0) + m.get(k, 0) for k in mine)
        assert row["grubel_lloyd"] == pytest.approx(1 - off / total, rel=1e-9)
    pairs = of(measures.grubel_lloyd(trade, (), partners=True), "economy", "partner")
    for (a, b), row in pairs.items():
        assert row["grubel_lloyd"] == pytest.approx(pairs[b, a]["grubel_lloyd"], abs=1e-12)
        assert row["exports"] == pytest.approx(pairs[b, a]["imports"])


def test_trade_intensity(trade, flows):
    pair = reference.sums(flows, lambda f: (f["exporter"], f["importer"]), lambda f: f["value"])
    x = reference.sums(flows, lambda f: f["exporter"], lambda f: f["value"])
    m = reference.sums(flows, lambda f: f["importer"], lambda f: f["value"])
    world = sum(m.values())
    found = of(measures.trade_intensity(trade), "exporter", "importer")
    assert set(found) == set(pair)
    for (i, j), row in found.items():
        expected = pair[i, j] / x[i] / (m[j] / world)
        assert row["intensity"] == pytest.approx(expected, rel=1e-12)


def test_complementarity_and_similarity_are_one_less_half_the_distance(trade, flows):
    x, m = reference.shares(flows, "exporter"), reference.shares(flows, "importer")
    found = of(similarity.complementarity(trade), "exporter", "importer")
    assert set(found) == {(i, j) for i in x for j in m if i != j}
    for (i, j), row in found.items():
        assert row["complementarity"] == pytest.approx(reference.apart(x[i], m[j]), abs=1e-12)
    alike = of(similarity.export_similarity(trade), "first", "second")
    assert set(alike) == set(itertools.combinations(sorted(x), 2))
    for (a, b), row in alike.items():
        assert row["similarity"] == pytest.approx(reference.apart(x[a], x[b]), abs=1e-12)
    market = [f for f in flows if f["importer"] == "DEU"]
    x = reference.shares(market, "exporter")
    alike = of(similarity.export_similarity(trade, ["DEU"], ["CHN", "USA"]), "first", "second")
    assert set(alike) == {("CHN", "USA")}
    expected = reference.apart(x["CHN"], x["USA"])
    assert alike["CHN", "USA"]["similarity"] == pytest.approx(expected, abs=1e-12)


def test_pairs_with_nothing_in_common_have_zero_and_equal_ones_one():
    rows = [
        ("AAA", "ZZZ", "01", 1.0, None),
        ("BBB", "ZZZ", "02", 9.0, None),
        ("CCC", "ZZZ", "01", 7.0, None),
    ]
    found = of(similarity.export_similarity(table(rows)), "first", "second")
    assert [found[k]["similarity"] for k in sorted(found)] == [0.0, 1.0, 0.0]


def test_re_exports_are_absent_where_a_source_has_none(trade):
    found = records(measures.re_exports(trade, None))
    assert found
    assert {r["share"] for r in found} == {None}
    assert {r["reason"] for r in found} == {"no re-exports in this source"}


def test_unknown_sides_are_refused(trade):
    with pytest.raises(DataError, match="exports or imports"):
        measures.concentration(trade, "trade")
