"""UN Comtrade bulk files into a store: no total is counted beside its parts."""

import gzip

import pyarrow.parquet as pq
import pytest

from entrepot.core.errors import DataError
from entrepot.products.build import build_store
from entrepot.products.connect import connect
from entrepot.products.execute import records
from entrepot.products.measures import re_exports
from entrepot.products.store import part_of
from entrepot.sources.comtrade import is_comtrade, read_comtrade

COLUMNS = (
    *("typeCode", "freqCode", "refPeriodId", "refYear", "refMonth", "period", "reporterCode"),
    *("flowCode", "partnerCode", "partner2Code", "classificationCode", "classificationSearchCode"),
    *("isOriginalClassification", "cmdCode", "aggrLevel", "isLeaf", "customsCode", "mosCode"),
    *("motCode", "qtyUnitCode", "qty", "isQtyEstimated", "altQtyUnitCode", "altQty"),
    *("isAltQtyEstimated", "netWgt", "isNetWgtEstimated", "grossWgt", "isGrossWgtEstimated"),
    *("cifvalue", "fobvalue", "primaryValue", "legacyEstimationFlag", "isReported", "isAggregate"),
)


def line(reporter, flow, partner, product, value, weight="", **other):
    given = {
        "typeCode": "C",
        "freqCode": "A",
        "refPeriodId": "20220101",
        "refYear": "2022",
        "refMonth": "52",
        "period": "2022",
        "reporterCode": str(reporter),
        "flowCode": flow,
        "partnerCode": str(partner),
        "partner2Code": "0",
        "classificationCode": "H6",
        "cmdCode": product,
        "customsCode": "C00",
        "mosCode": "0",
        "motCode": "0",
        "netWgt": str(weight),
        "primaryValue": str(value),
    } | other
    return "\t".join(given.get(c, "") for c in COLUMNS)


def file(folder, *lines, called="COMTRADE-FINAL-CA276202201H6.gz"):
    path = folder / called
    data = "\n".join(["\t".join(COLUMNS), *lines]) + "\n"
    path.write_bytes(gzip.compress(data.encode()))
    return path


LINES = [
    # Imports of 276: from 156 one product in two breakdowns, its total, its heading and chapter.
    line(276, "M", 156, "010121", 3e6, 3000, motCode="2100", customsCode="C01"),
    line(276, "M", 156, "010121", 2e6, 2000, motCode="1000", customsCode="C01"),
    line(276, "M", 156, "010121", 1e6, 1000, partner2Code="842"),
    line(276, "M", 156, "010121", 5e6, 5000),
    line(276, "M", 156, "0101", 5e6, 5000),
    line(276, "M", 156, "01", 5e6, 5000),
    line(276, "M", 156, "TOTAL", 8e6),
    line(276, "M", 842, "010129", 2e6, 0),
    line(276, "M", 842, "TOTAL", 2e6),
    line(276, "M", 490, "9999AA", 1e6),
    # World, a group as a partner, and a group as a reporter are sums of others.
    line(276, "M", 0, "010121", 5e6, 5000),
    line(276, "M", 97, "010121", 1e6, 5000),
    line(97, "M", 156, "010121", 9e6, 5000),
    # Exports, of which re-exports; re-imports; imports for processing.
    line(276, "X", 156, "010121", 4e6, 100),
    line(276, "X", 156, "010129", 4e6, 100),
    line(276, "RX", 156, "010121", 1e6, 100),
    line(276, "RM", 156, "010121", 1e6, 100),
    line(276, "MIP", 156, "010121", 1e6, 100),
    line(842, "X", 276, "010121", 7e6, 100),
]


def test_only_flows_that_are_no_sums_of_others_are_kept(tmp_path):
    path = file(tmp_path, *LINES)
    assert is_comtrade(path)
    store = build_store(read_comtrade([path]), tmp_path / "s")
    assert pq.read_table(part_of(store.path, "trade", 2022)).to_pylist() == [
        row("CHN", "DEU", "010121", 5.0, 5.0),
        row("USA", "DEU", "010129", 2.0, None),  # a weight of 0 is no weight
        row("490", "DEU", "9999AA", 1.0, None),
    ]
    said = " ".join(store.manifest.notes)
    assert "3 rows left out: breakdowns" in said
    assert "1 rows left out: partner World" in said
    assert "2 rows left out: groups of economies" in said
    assert "2 rows left out: re-imports" in said
    assert "80.00% of the totals" in said
    assert (store.manifest.hs, store.manifest.source) == ("HS22", "UN Comtrade")
    assert store.manifest.valuation == "cif mostly, reported by importers"


def row(exporter, importer, product, value, quantity):
    return {
        "exporter": exporter,
        "importer": importer,
        "product": product,
        "value": value,
        "quantity": quantity,
    }


def test_exporters_reports_and_other_levels_on_request(tmp_path):
    path = file(tmp_path, *LINES)
    store = build_store(read_comtrade([path], reports="exporter"), tmp_path / "x")
    assert [
        (r["exporter"], r["importer"], r["product"], r["value"])
        for r in pq.read_table(part_of(store.path, "trade", 2022)).to_pylist()
    ] == [
        ("DEU", "CHN", "010121", 4.0),
        ("DEU", "CHN", "010129", 4.0),
        ("USA", "DEU", "010121", 7.0),
    ]
    store = build_store(read_comtrade([path], digits=2), tmp_path / "2")
    assert pq.read_table(part_of(store.path, "trade", 2022)).to_pylist() == [
        row("CHN", "DEU", "01", 5.0, 5.0)
    ]


def test_re_exports_are_shares_of_exports_and_absent_with_a_reason(tmp_path):
    path = file(tmp_path, *LINES)
    store = build_store(read_comtrade([path]), tmp_path / "s")
    with connect(store) as tables:
        found = {r["economy"]: r for r in records(re_exports(tables.trade, tables.reexports))}
        by_product = {
            (r["economy"], r["product"]): r["share"]
            for r in records(re_exports(tables.trade, tables.reexports, by_product=True))
        }
    assert found["DEU"]["share"] == pytest.approx(1 / 8)
    assert found["DEU"]["reason"] is None
    assert found["USA"]["share"] is None
    assert found["USA"]["reason"] == "reports no re-exports"
    assert by_product["DEU", "010121"] == pytest.approx(1 / 4)
    assert by_product["DEU", "010129"] == 0.0


def test_the_former_layout_is_read(tmp_path):
    path = tmp_path / "type-C_r-276_ps-2015_freq-A_px-HS_pub-20160501.csv"
    path.write_text(
        "Classification,Year,Period,Aggregate Level,Is Leaf Code,Trade Flow Code,Trade Flow,"
        "Reporter Code,Reporter,Partner Code,Partner,Commodity Code,Commodity,Netweight (kg),"
        "Trade Value (US$),Flag\n"
        'H4,2015,2015,6,1,1,Import,276,Germany,156,China,010121,"Horses, live",1500,2500000,0\n'
        'H4,2015,2015,6,1,1,Import,276,Germany,0,World,010121,"Horses, live",1500,2500000,0\n'
    )
    store = build_store(read_comtrade([path]), tmp_path / "s")
    assert store.manifest.hs == "HS12"
    assert pq.read_table(part_of(store.path, "trade", 2015)).to_pylist() == [
        row("CHN", "DEU", "010121", 2.5, 1.5)
    ]


REFUSED = {
    "monthly": ([line(276, "M", 156, "010121", 1, freqCode="M")], "monthly data"),
    "two revisions": (
        [LINES[3], line(276, "M", 156, "010129", 1, classificationCode="H5")],
        r"HS revisions H5 \(HS17\), H6 \(HS22\) at once",
    ),
    "another classification": (
        [line(276, "M", 156, "0011", 1, classificationCode="S4")],
        "classification 'S4'",
    ),
    "breakdowns alone": ([LINES[0], LINES[1]], "only breakdowns"),
    "no products": ([line(276, "M", 156, "TOTAL", 1)], "no flow is left"),
    "no number": ([LINES[3], line(276, "M", 156, "010129", "1e")], "line 3: primaryValue is '1e'"),
    "twice": ([LINES[3], LINES[3]], "given twice"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_right_is_refused(tmp_path, case):
    lines, said = REFUSED[case]
    with pytest.raises(DataError, match=said):
        build_store(read_comtrade([file(tmp_path, *lines)]), tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_revisions_are_not_mixed_across_files(tmp_path):
    one = file(tmp_path, LINES[3])
    two = file(tmp_path, line(842, "M", 156, "010121", 1, classificationCode="H5"), called="two.gz")
    with pytest.raises(DataError, match="at once"):
        build_store(read_comtrade([one, two]), tmp_path / "s")
