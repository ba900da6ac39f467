"""The audit finds what is planted and nothing else; repairs change what they say and log it."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import entrepot as ep
from entrepot.core.errors import WorldError
from entrepot.core.tables import Margin
from entrepot.world.audit import audit, raw_of
from entrepot.world.build import build, repair
from entrepot.world.checks import CHECKS
from entrepot.world.repairs import REPAIRS
from worlds import full_world, random_world


@pytest.fixture(scope="module")
def clean():
    """A table large enough that a slip stands out; no flaw in it."""
    return raw_of(random_world(3, 6, 5, home=8))


def spoil(raw, **cells):
    """The table with cells of its blocks changed: block=[(index, function of the old value)]."""
    new = {}
    for block, changes in cells.items():
        array = getattr(raw, block).copy()
        for index, change in changes:
            array[index] = change(array[index])
        new[block] = array
    return replace(raw, **new)


def found(raw, level=None):
    return {f.check: f for f in audit(raw).findings if level is None or f.level == level}


class TestAudit:
    def test_a_clean_table_passes_without_a_warning(self, clean):
        done = audit(clean)
        assert done.passed
        assert [f for f in done.findings if f.level != "note"] == []
        assert done.checks == tuple(c.name for c in CHECKS)

    @pytest.mark.parametrize("name", ["world-2022", "world-2019-g20"])
    def test_embedded_worlds_pass(self, name):
        done = audit(ep.load_world(name))
        assert done.passed
        assert [f.check for f in done.findings if f.level == "warn"] == []

    def test_imbalance_names_the_nodes_and_the_size(self, clean):
        raw = spoil(clean, V=[((0, 7), lambda v: v + 5.0)])
        f = found(raw)["balance"]
        assert (f.level, f.count, f.worst[0].where) == ("fail", 1, raw.node_names[7])
        assert f.worst[0].value == pytest.approx(-5.0)
        assert not audit(raw).passed

    def test_the_tolerance_is_the_declared_one(self, clean):
        raw = spoil(clean, V=[((0, 7), lambda v: v + 5.0)])
        assert audit(replace(raw, atol=5.1)).passed
        assert not audit(replace(raw, atol=4.9)).passed

    @pytest.mark.parametrize("block", ["Z", "F", "V"])
    @pytest.mark.parametrize("bad", [np.nan, np.inf])
    def test_blank_cells_are_named(self, clean, block, bad):
        index = {"Z": (3, 4), "F": (3, 2, 0), "V": (0, 4)}[block]
        raw = spoil(clean, **{block: [(index, lambda _: bad)]})
        f = found(raw)["missing-cells"]
        assert f.count == 1
        assert (
            f.worst[0].where
            == {
                "Z": "R00 S3 to R00 S4",
                "F": "R00 S3 to R02 f0",
                "V": "value added of R00 S4",
            }[block]
        )
        json.dumps(audit(raw).to_dict(), allow_nan=False)

    def test_negative_flows(self, clean):
        raw = spoil(clean, Z=[((3, 4), lambda _: -2.0)])
        f = found(raw)["negative-flows"]
        assert (f.level, f.count, f.size) == ("fail", 1, 2.0)
        assert f.worst[0].where == "R00 S3 to R00 S4"

    def test_negative_output_and_value_added(self, clean):
        F = clean.F.copy()
        F[4] = -10 * F[4]
        raw = replace(clean, F=F)
        assert found(raw)["negative-output"].worst[0].where == raw.node_names[4]
        assert "stock-exceeds-sales" in found(raw)
        assert "negative-value-added" in found(spoil(clean, V=[((0, 2), lambda v: -v)]), "warn")

    def test_inputs_beyond_output(self, clean):
        raw = spoil(clean, Z=[((8, 9), lambda _: 3 * clean.sales[9])])
        assert found(raw)["coefficient-above-one"].worst[0].where == "R01 S3 to R01 S4"
        assert "inputs-exceed-output" in found(raw)
        raw = spoil(clean, V=[((0, 9), lambda _: 2 * clean.sales[9])])
        assert found(raw)["value-added-exceeds-output"].worst[0].value == pytest.approx(2.0)

    def test_zero_output_empty_regions_and_missing_pairs_are_told_apart(self):
        raw = raw_of(random_world(5, 4, 3, empty=2, density=0.4))
        assert audit(raw).passed
        assert found(raw)["zero-output"].level == "note"
        assert found(raw)["missing-pairs"].level == "note"
        assert found(replace(raw, V=np.zeros_like(raw.V)))["empty-region"].level == "warn"

    def test_declared_totals(self, clean):
        right = replace(clean, declared_output=clean.sales, declared_input=clean.costs)
        assert audit(right).passed
        wrong = clean.sales.copy()
        wrong[3] += 1
        assert found(replace(clean, declared_output=wrong))["declared-output"].count == 1
        assert found(replace(clean, declared_input=wrong))["declared-input"].count == 1
        thousands = replace(clean, declared_output=1e3 * clean.sales)
        assert found(thousands)["unit-slip-table"].worst[0].value == pytest.approx(1e-3)

    def test_negative_stocks_are_a_note_by_category(self):
        raw = raw_of(full_world(2, 4, 3))
        f = found(raw)["negative-final-use"]
        assert f.level == "note"
        assert f.count == (raw.F < 0).sum()

    def test_transposed(self, clean):
        assert found(replace(clean, Z=clean.Z.T.copy()))["transposed"].level == "fail"

    def test_copies(self, clean):
        Z = clean.Z.copy()
        Z[7] = Z[8]
        assert found(replace(clean, Z=Z))["identical-nodes"].worst[0].where == "R01 S2 and R01 S3"

    def test_a_total_read_as_a_sector(self, clean):
        n, s = 6, 5
        Z = clean.Z.reshape(n, s, n, s).copy()
        F = clean.F.reshape(n, s, n, -1).copy()
        Z[:, -1] = Z[:, :-1].sum(1)
        F[:, -1] = F[:, :-1].sum(1)
        raw = replace(clean, Z=Z.reshape(n * s, n * s), F=F.reshape(n * s, n, -1))
        assert found(raw)["total-among-labels"].worst[0].where == "S4"


class TestUnitSlips:
    """One part of the table is a thousand or a million times off: that part is named."""

    @pytest.mark.parametrize("factor", [1e3, 1e-3, 1e6])
    def test_a_cell(self, clean, factor):
        i, j = np.unravel_index(np.argmax(clean.Z * (clean.Z < 50)), clean.Z.shape)
        f = found(spoil(clean, Z=[((i, j), lambda v: v * factor)]))["unit-slip-cell"]
        assert (f.worst[0].where, f.worst[0].value) == (
            f"{clean.node_names[i]} to {clean.node_names[j]}",
            factor,
        )

    @pytest.mark.parametrize("factor", [1e3, 1e-3])
    @pytest.mark.parametrize(
        ("part", "cells"),
        [
            ("sales of R02", {"Z": np.s_[10:15], "F": np.s_[10:15]}),
            ("sales and value added of R02", {"Z": np.s_[10:15], "F": np.s_[10:15],
                                              "V": np.s_[:, 10:15]}),
            ("inputs of R02", {"Z": np.s_[:, 10:15]}),
            ("inputs and value added of R02", {"Z": np.s_[:, 10:15], "V": np.s_[:, 10:15]}),
            ("value added of R02", {"V": np.s_[:, 10:15]}),
            ("final use of R02", {"F": np.s_[:, 2]}),
            ("all final use", {"F": np.s_[:]}),
            ("all value added", {"V": np.s_[:]}),
            ("sales of R02 S3", {"Z": np.s_[13], "F": np.s_[13]}),
            ("inputs of R02 S3", {"Z": np.s_[:, 13]}),
            ("value added of R02 S3", {"V": np.s_[:, 13]}),
        ],
    )  # fmt: skip
    def test_a_part(self, clean, part, cells, factor):
        raw = spoil(clean, **{k: [(at, lambda v: v * factor)] for k, at in cells.items()})
        f = found(raw)["unit-slip"]
        assert (part, factor) in [(s.where, pytest.approx(s.value)) for s in f.worst]
        assert f.count <= 2

    def test_a_plain_error_is_not_called_a_slip(self, clean):
        raw = spoil(clean, V=[((0, 7), lambda v: v + 5.0)], Z=[((1, 2), lambda v: 1.7 * v + 1)])
        assert not {"unit-slip", "unit-slip-cell"} & set(found(raw))


class TestRepairs:
    def test_a_balanced_table_becomes_the_same_world(self):
        world = full_world(1)
        assert build(raw_of(world)).content_hash == world.content_hash
        assert "steps" not in build(raw_of(world)).provenance

    def test_refusal_says_what_is_wrong_and_what_helps(self, clean):
        raw = spoil(clean, Z=[((3, 4), lambda _: -2.0), ((5, 6), lambda _: np.nan)])
        with pytest.raises(WorldError) as caught:
            build(raw)
        text = str(caught.value)
        for word in ("blank", "negative", "R00 S3 to R00 S4", "entrepot world check",
                     "blank-to-zero", "negative-flows-to-zero", "discrepancy-to-value-added"):  # fmt: skip
            assert word in text
        assert "\n" not in text

    def test_every_step_is_logged_with_cell_and_size(self, clean):
        raw = spoil(clean, Z=[((3, 4), lambda _: -2.0), ((5, 6), lambda _: np.nan)])
        world = build(
            raw, ["blank-to-zero", "negative-flows-to-final-use", "discrepancy-to-value-added"]
        )
        blank, negative, gap = world.provenance["steps"]
        assert blank["changed"] == [["R01 S0 to R01 S1", None, 0.0]]
        assert negative["changed"][0] == ["R00 S3 to R00 S4", -2.0, 0.0]
        assert ["R00 S3 to R00 negative intermediate sales", 0.0, -2.0] in negative["changed"]
        assert negative["sum"] == pytest.approx(0.0)
        x = raw.sales
        assert np.nanmax(np.abs(world.x[3] - x[3])) == 0  # the seller's total stays
        assert gap["step"] == "discrepancy-to-value-added"
        assert world.value_added_categories[-1] == "statistical discrepancy"
        np.testing.assert_allclose(world.slack, 0, atol=1e-9)

    @pytest.mark.parametrize("name", ["discrepancy-to-value-added", "discrepancy-to-final-use"])
    def test_discrepancies_close_every_gap_and_keep_one_side(self, clean, name):
        raw = spoil(clean, V=[((0, 7), lambda v: v + 5.0)], Z=[((1, 2), lambda v: v + 3)])
        world = build(raw, [name])
        kept = raw.sales if name.endswith("added") else raw.costs
        np.testing.assert_allclose(world.x, kept, rtol=1e-13)
        assert world.provenance["steps"][0]["sum_absolute"] == pytest.approx(11.0)

    def test_rebalance_meets_costs_and_keeps_inputs_and_value_added(self, clean):
        raw = spoil(clean, V=[((0, 7), lambda v: 1.02 * v)], Z=[((1, 2), lambda v: 1.05 * v)])
        world = build(raw, ["rebalance"], atol=1e-4)
        np.testing.assert_allclose(world.x, raw.costs, rtol=1e-7)
        np.testing.assert_allclose(world.Z.sum(0), raw.Z.sum(0), rtol=1e-7)
        np.testing.assert_array_equal(world.V, raw.V)
        assert world.provenance["steps"][0]["cells"] > 0

    def test_stocks_to_zero(self):
        raw = raw_of(full_world(2, 4, 3))
        table, (log,) = repair(raw, ["negative-final-use-to-zero"])
        assert table.F.min() >= 0
        assert log["cells"] == (raw.F < 0).sum()
        assert log["sum"] == pytest.approx(-raw.F[raw.F < 0].sum())

    @pytest.mark.parametrize(
        ("slip", "cure"),
        [
            ({"Z": np.s_[10:15], "F": np.s_[10:15]}, "scale-rows:R02=0.001"),
            ({"Z": np.s_[:, 13], "V": np.s_[:, 13]}, "scale-columns:R02 S3=0.001"),
            ({"Z": np.s_[3, 4]}, "scale-cell:R00 S3 to R00 S4=0.001"),
        ],
    )
    def test_a_slip_is_undone_by_the_repair_the_user_names(self, clean, slip, cure):
        raw = spoil(clean, **{k: [(at, lambda v: v * 1e3)] for k, at in slip.items()})
        assert not audit(raw).passed
        world = build(raw, [cure])
        np.testing.assert_allclose(world.Z, clean.Z, rtol=1e-12)
        assert world.provenance["steps"][0]["argument"] in cure

    @pytest.mark.parametrize(
        ("text", "match"),
        [
            ("blank-to-nought", "did you mean 'blank-to-zero'"),
            ("blank-to-zero:x", "takes no argument"),
            ("scale-rows", "needs an argument"),
            ("scale-rows:R02", "LABEL=FACTOR"),
            ("scale-rows:R2=3", "no region or region-sector 'R2'"),
            ("scale-rows:R02=-3", "positive factor"),
            ("scale-cell:R02=3", "SELLER to BUYER"),
            ("scale-cell:R02 to R01=3", "more than one cell"),
        ],
    )
    def test_bad_repairs(self, clean, text, match):
        with pytest.raises(WorldError, match=match):
            build(clean, [text])

    def test_repairs_on_blank_tables_ask_for_blanks_first(self, clean):
        raw = spoil(clean, Z=[((5, 6), lambda _: np.nan)])
        for name in ("discrepancy-to-value-added", "discrepancy-to-final-use", "rebalance"):
            with pytest.raises(WorldError, match="blank-to-zero before"):
                repair(raw, [name])

    def test_margins_are_carried_and_balance(self, clean):
        part = np.linspace(0, 1, len(clean.sales))
        margins = {"transport": Margin(part, np.ones_like(clean.T_final))}
        raw = replace(clean, V=clean.V - part, margins=margins)
        world = build(raw)
        assert audit(world).totals["margins"] == pytest.approx(part.sum() + clean.T_final.size)
        assert world.margins["transport"].inputs[3] == part[3]
        with pytest.raises(WorldError, match="not a table that can be used"):
            build(replace(clean, margins=margins))

    def test_thousands_become_millions(self, clean):
        raw = replace(clean, to_million=1e-3, atol=1.0)
        assert raw.unit == "thousand USD"
        world = build(raw)
        np.testing.assert_allclose(world.Z, clean.Z / 1e3, rtol=1e-15)
        assert world.atol == pytest.approx(1e-3)

    def test_rates(self, clean):
        euro = replace(clean, currency="EUR")
        with pytest.raises(WorldError, match="state the rate, USD per EUR"):
            build(euro)
        with pytest.raises(WorldError, match="no price"):
            build(euro, rate=-1)
        with pytest.raises(WorldError, match="in million USD already"):
            build(clean, rate=1.1)

    @given(st.integers(0, 10**6))
    def test_repairs_only_touch_what_they_log(self, seed):
        rng = np.random.default_rng(seed)
        raw = raw_of(random_world(seed % 50, 3, 3))
        Z = raw.Z.copy()
        hit = rng.random(Z.shape) < 0.1
        Z[hit] = -Z[hit]
        table, (log,) = repair(replace(raw, Z=Z), ["negative-flows-to-zero"])
        changed = np.argwhere(table.Z != Z)
        names = {f"{raw.node_names[i]} to {raw.node_names[j]}" for i, j in changed}
        assert names == {row[0] for row in log["changed"]}
        assert log["sum_absolute"] == pytest.approx(-Z[Z < 0].sum())

    def test_every_repair_is_in_the_catalogue_once_with_its_meaning(self):
        assert all(row.name == name and row.meaning.endswith(".") for name, row in REPAIRS.items())
