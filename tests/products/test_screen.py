"""The dependency screen against plain Python, by hand, and in its limits; churn over years."""

import plain_trade as reference
import pytest
from test_product_measures import table

from entrepot.core.errors import DataError
from entrepot.products.churn import churn, churn_summary
from entrepot.products.columns import importers_of
from entrepot.products.execute import records
from entrepot.products.measures import at_digits
from entrepot.products.screen import Buyer, Friendly, Thresholds, screen, screen_in_parts

YEAR = 2021
EU = Buyer("eu", ("DEU", "FRA", "ITA"))
ANY = Thresholds(least_covered=0.0)


def of(expression, year=YEAR):
    rows = records(expression.filter(expression.year == year))
    found = {(r["buyer"], r["product"]): r for r in rows}
    assert len(found) == len(rows)
    return found


@pytest.fixture
def flows(trade):
    return records(trade.filter(trade.year == YEAR))


def near(value):
    return None if value is None else pytest.approx(value, rel=1e-12)


def same(one, other):
    """Equal rows, but for the order in which an engine sums."""
    return all(v == (near(other[c]) if isinstance(v, float) else other[c]) for c, v in one.items())


def agrees(row, expected, kinds=("value", "quantity")):
    for kind in kinds:
        assert [row[f"cdi{i}_{kind}"] for i in (1, 2, 3)] == [near(v) for v in expected[kind]]
    supplier, share = expected["main"]
    assert (row["main_supplier"], row["main_share"]) == (supplier, near(share))


def test_every_importer_by_itself(trade, flows):
    found = of(screen(trade, thresholds=ANY))
    assert set(found) == {(f["importer"], f["product"]) for f in flows}
    for (buyer, product), row in found.items():
        agrees(row, reference.screened(flows, buyer, {buyer}, product))
        assert row["cdi2_value"] == 1.0
        one, two, three = (row[f"cdi{i}_value"] for i in (1, 2, 3))
        assert row["dependent_value"] == (one > 0.4 and two > 0.5 and (three is None or three > 1))
        assert (three is None) == (row["value_note"] is not None)
    assert len({r["dependent_value"] for r in found.values()}) == 2
    assert any(r["cdi3_value"] is None for r in found.values())


def test_some_importers_give_the_same_rows(trade):
    every, some = of(screen(trade)), of(screen(trade, importers=["DEU", "CHN"]))
    assert set(some) == {k for k in every if k[0] in ("DEU", "CHN")}
    for key, row in some.items():
        assert same(row, every[key])


def test_in_parts_it_is_the_same(trade):
    whole = of(screen(trade))
    parts = screen_in_parts(trade, importers_of(trade), 4)
    assert len(parts) == 3
    found = [of(part) for part in parts]
    assert sum(map(len, found)) == len(whole)
    for part in found:
        for key, row in part.items():
            assert same(row, whole[key])


@pytest.mark.parametrize("exports", ["all", "outside"])
@pytest.mark.parametrize("weight", [None, 0.0, 0.3, 1.0])
def test_a_group_as_one_buyer_and_friendly_suppliers(trade, flows, exports, weight):
    friends = Friendly() if weight is None else Friendly(("USA", "490"), weight)
    found = of(screen(trade, EU, thresholds=ANY, friendly=friends, exports=exports))
    for (buyer, product), row in found.items():
        expected = reference.screened(
            flows,
            buyer,
            set(EU.members),
            product,
            friendly=friends.suppliers,
            weight=friends.weight,
            outside=exports == "outside",
        )
        agrees(row, expected)
    plain = of(screen(trade, EU, thresholds=ANY, exports=exports))
    alike = all(row["outside"] == near(plain[key]["outside"]) for key, row in found.items())
    assert alike == (weight in (None, 1.0))


def test_domestic_production(trade, flows):
    import ibis

    schema = ibis.schema(
        {"importer": "string", "product": "string", "value": "float64", "quantity": "float64"}
    )
    made = [
        ("DEU", "010121", 5.0, 9.0),
        ("FRA", "010121", 1.0, 2.0),
        ("DEU", "280461", 0.0, 0.0),
        ("DEU", "850110", 3.0, None),
    ]
    columns = {c: [row[i] for row in made] for i, c in enumerate(schema.names)}
    production = ibis.memtable(columns, schema=schema)
    found = of(screen(trade, EU, thresholds=ANY, production=production))
    row = found["eu", "010121"]
    members = set(EU.members)
    given = {"value": 6.0, "quantity": 11.0}
    agrees(row, reference.screened(flows, "eu", members, "010121", made=given))
    assert row["capacity"] == "production"
    nothing = found["eu", "280461"]
    assert (nothing["cdi3_value"], nothing["cdi2_value"]) == (None, 1.0)
    assert nothing["dependent_value"] == (nothing["cdi1_value"] > 0.4)
    no_tons = found["eu", "850110"]
    assert (no_tons["cdi2_quantity"], no_tons["cdi3_quantity"]) == (None, None)
    assert no_tons["quantity_note"] == "production has no quantity"
    other = found["eu", "010129"]
    assert same(other, of(screen(trade, EU, thresholds=ANY))["eu", "010129"])
    assert other["capacity"] == "exports"


def test_by_hand():
    """Imports 8 from A and 2 from B, 6 from a member: 0.68, 10/16, 10/5."""
    rows = [
        ("AAA", "ONE", "01", 8.0, 4.0),
        ("BBB", "TWO", "01", 2.0, 4.0),
        ("ONE", "TWO", "01", 4.0, 1.0),
        ("TWO", "ONE", "01", 2.0, 1.0),
        ("TWO", "AAA", "01", 1.0, 30.0),
        # Nothing exported; all from one supplier, of which no quantity is known.
        ("AAA", "ONE", "02", 3.0, None),
        # From a member alone.
        ("ONE", "TWO", "03", 3.0, 1.0),
    ]
    group = Buyer("both", ("ONE", "TWO"))
    found = of(screen(table(rows), group))
    one = found["both", "01"]
    assert one["cdi1_value"] == pytest.approx(0.68)
    assert one["cdi2_value"] == pytest.approx(10 / 16)
    assert one["cdi3_value"] == pytest.approx(10 / 7)
    assert (one["imports"], one["outside"]) == (16.0, 10.0)
    assert one["dependent_value"] is True
    assert one["cdi1_quantity"] == pytest.approx(0.5)
    assert one["cdi3_quantity"] == pytest.approx(8 / 32)
    assert (one["dependent_quantity"], one["dependent"]) == (False, False)
    assert (one["main_supplier"], one["main_share"]) == ("AAA", pytest.approx(0.8))
    two = found["both", "02"]
    assert (two["dependent_value"], two["dependent_quantity"], two["dependent"]) == (
        True,
        None,
        None,
    )
    assert two["value_note"] == "no exports or production: the third indicator is without bound"
    assert two["quantity_note"] == "quantities cover too little of the imports"
    assert two["quantity_covered"] == 0.0
    three = found["both", "03"]
    assert (three["cdi1_value"], three["main_supplier"], three["dependent"]) == (None, None, False)
    assert three["value_note"] == "nothing from outside"
    assert of(screen(table(rows), group, exports="outside"))["both", "01"]["cdi3_value"] == 10.0


def test_among_equal_suppliers_the_last_code_is_named():
    rows = [(s, "ONE", "01", 2.0, 1.0) for s in ("BBB", "DDD", "CCC", "AAA")]
    assert of(screen(table(rows)))["ONE", "01"]["main_supplier"] == "DDD"


def test_trade_with_itself_is_inside():
    rows = [("AAA", "ONE", "01", 3.0, 1.0), ("ONE", "ONE", "01", 1.0, 1.0)]
    row = of(screen(table(rows)))["ONE", "01"]
    assert (row["cdi2_value"], row["cdi3_value"]) == (0.75, None)


def test_quantities_that_cover_too_little_give_no_indicator():
    rows = [("AAA", "ONE", "01", 7.0, 1.0), ("BBB", "ONE", "01", 3.0, None)]
    rows += [("ONE", "AAA", "01", 1.0, 1.0)]
    row = of(screen(table(rows)))["ONE", "01"]
    assert row["quantity_covered"] == pytest.approx(0.7)
    assert row["cdi1_quantity"] is None
    assert row["dependent_quantity"] is None
    row = of(screen(table(rows), thresholds=Thresholds(least_covered=0.7)))["ONE", "01"]
    assert row["cdi1_quantity"] == 1.0


def test_thresholds_are_exceeded_not_reached():
    rows = [("AAA", "ONE", "01", 2.0, 1.0), ("ONE", "AAA", "01", 2.0, 1.0)]
    assert of(screen(table(rows)))["ONE", "01"]["dependent_value"] is False
    lower = Thresholds(substitution=0.99)
    assert of(screen(table(rows), thresholds=lower))["ONE", "01"]["dependent_value"] is True


def test_fewer_digits_carry_their_covered_share(trade):
    found = of(screen(at_digits(trade, 2), EU))
    assert set(found) == {("eu", p) for p in ("01", "28", "85", "99")}
    assert any(r["quantity_covered"] < 1 for r in found.values())


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda _: Thresholds(concentration=2), "Thresholds 2"),
        (lambda _: Friendly(("USA",), 1.5), "weight 1.5"),
        (lambda t: screen(t, Buyer("none", ())), "no members"),
        (lambda t: screen(t, exports="some"), "all or outside"),
        (lambda t: churn(screen(t), 2020, 2021, "list"), "Churn of 'list'"),
    ],
)
def test_what_makes_no_sense_is_refused(trade, make, said):
    with pytest.raises(DataError, match=said):
        make(trade)


def test_churn(trade):
    found = screen(trade)
    before, after = of(found, 2020), of(found, 2021)
    rows = records(churn(found, 2020, 2021))
    by = {(r["buyer"], r["product"]): r for r in rows}
    was = {k for k, r in before.items() if r["dependent_value"]}
    is_ = {k for k, r in after.items() if r["dependent_value"]}
    assert set(by) == was | is_
    for key, row in by.items():
        expected = {(True, True): "stayed", (False, True): "entered", (True, False): "left"}
        assert row["status"] == expected[key in was, key in is_]
        a = before[key]["main_supplier"] if key in before else None
        b = after[key]["main_supplier"] if key in after else None
        assert (row["supplier_before"], row["supplier_after"]) == (a, b)
        assert row["supplier_changed"] == (None if None in (a, b) else a != b)
    assert {r["status"] for r in rows} == {"stayed", "entered", "left"}
    for row in records(churn_summary(churn(found, 2020, 2021))):
        mine = [r for r in rows if r["buyer"] == row["buyer"]]
        stayed = [r for r in mine if r["status"] == "stayed"]
        left = [r for r in mine if r["status"] == "left"]
        assert (row["stayed"], row["left"]) == (len(stayed), len(left))
        assert row["entered"] == len(mine) - len(stayed) - len(left)
        listed = len(stayed) + len(left)
        assert row["persistence"] == (pytest.approx(len(stayed) / listed) if listed else None)
        assert row["supplier_changes"] == sum(bool(r["supplier_changed"]) for r in stayed)


def test_an_absent_flag_is_undetermined_not_a_departure():
    def year(of, tons):
        return table([("AAA", "ONE", "01", 2.0, tons)]).mutate(year=of)

    found = screen(year(2020, 1.0).union(year(2021, None)))
    (row,) = records(churn(found, 2020, 2021, "dependent_quantity"))
    assert row["status"] == "undetermined"
    (row,) = records(churn_summary(churn(found, 2020, 2021, "dependent_quantity")))
    assert (row["undetermined"], row["persistence"]) == (1, None)
