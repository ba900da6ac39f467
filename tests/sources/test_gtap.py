"""GTAP data bases: a made-up one that keeps every identity, in every layout it may come in."""

import csv
import itertools
import shutil
import tracemalloc
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.core.errors import DataError
from entrepot.sources.gtap import FACTOR_TAXES, OUTPUT_TAXES, POOL, TRANSPORT, read
from entrepot.sources.har import Header, read_har
from entrepot.sources.har_writer import write_har
from entrepot.world.audit import audit
from entrepot.world.build import build

COMM = ("Rice", "mfg", "otp", "svc", "wtp")
MARG = ("otp", "wtp")
ENDW = ("Land", "Labor", "Capital")
REG = ("usa", "xeu", "Row")
AXES = {"COMM": COMM, "ACTS": COMM, "PROD": (*COMM, "CGDS"), "MARG": MARG, "ENDW": ENDW, "REG": REG}
FIRMS, USERS, TRADE = ("COMM", "ACTS", "REG"), ("COMM", "REG"), ("COMM", "REG", "REG")
MAKERS = ("COMM", "PROD", "REG")
DIMS = (
    dict.fromkeys(("VDFB", "VDFP", "VMFB", "VMFP", "MAKB", "MAKS"), FIRMS)
    | {f"V{o}{u}{p}": USERS for o in "DM" for u in "PGI" for p in "BP"}
    | dict.fromkeys(("VXSB", "VFOB", "VCIF", "VMSB"), TRADE)
    | dict.fromkeys(("EVFB", "EVFP"), ("ENDW", "ACTS", "REG"))
    | {"VST": ("MARG", "REG"), "VTWR": ("MARG", "COMM", "REG", "REG")}
)
CLASSIC = {
    "VDFM": "VDFB", "VIFM": "VMFB", "VDFA": "VDFP", "VIFA": "VMFP", "VDPM": "VDPB", "VIPM": "VMPB",
    "VDPA": "VDPP", "VIPA": "VMPP", "VDGM": "VDGB", "VIGM": "VMGB", "VDGA": "VDGP", "VIGA": "VMGP",
    "VXMD": "VXSB", "VXWD": "VFOB", "VIWS": "VCIF", "VIMS": "VMSB", "VFM": "EVFB", "EVFA": "EVFP",
    "VST": "VST", "VTWR": "VTWR",
}  # fmt: skip
INVESTMENT = {"VDFM": "VDIB", "VIFM": "VMIB", "VDFA": "VDIP", "VIFA": "VMIP"}


def synthetic(seed=0):
    """Arrays by header that keep the identities of the data base to double precision."""
    rng = np.random.default_rng(seed)
    n, r, m = len(COMM), len(REG), len(MARG)

    def draw(*shape, scale=1.0):
        return rng.lognormal(3, 0.5, shape) * scale

    def rate(*shape):
        return 1 + rng.uniform(-0.1, 0.3, shape)

    a = {"VDFB": draw(n, n, r, scale=0.2), "VMFB": draw(n, n, r, scale=0.1)}
    for user, scale in (("P", 4), ("G", 2), ("I", 2)):
        a[f"VD{user}B"], a[f"VM{user}B"] = draw(n, r, scale=scale), draw(n, r, scale=scale / 4)
    a["VDGB"][0] = 0  # nothing is bought of it
    for origin in "DM":
        a[f"V{origin}FB"][0, 3] = 0
    for origin, user in itertools.product("DM", "FPGI"):
        key = f"V{origin}{user}"
        a[f"{key}P"] = a[f"{key}B"] * rate(*a[f"{key}B"].shape)
    whole = a["VMFB"].sum(1) + a["VMPB"] + a["VMGB"] + a["VMIB"]
    share = draw(n, r, r)
    for d in (0, 2):  # only the second region, of several economies, imports from itself
        share[:, d, d] = 0
    share[1, 0, 2] = 0
    share /= share.sum(1, keepdims=True)
    a["VMSB"] = share * whole[:, None]
    a["VCIF"] = a["VMSB"] / rate(n, r, r)
    a["VTWR"] = a["VCIF"] * rng.uniform(0, 0.1, (m, n, r, r))
    a["VFOB"] = a["VCIF"] - a["VTWR"].sum(0)
    a["VXSB"] = a["VFOB"] / rate(n, r, r)
    supply = draw(m, r)
    a["VST"] = supply / supply.sum(1, keepdims=True) * a["VTWR"].sum((1, 2, 3))[:, None]
    output = a["VDFB"].sum(1) + a["VDPB"] + a["VDGB"] + a["VDIB"] + a["VXSB"].sum(2)
    for k, margin in enumerate(MARG):
        output[COMM.index(margin)] += a["VST"][k]
    supplier = output / rate(n, r)
    factors = supplier - a["VDFP"].sum(0) - a["VMFP"].sum(0)
    assert (factors > 0).all()
    split = draw(len(ENDW), n, r)
    a["EVFP"] = split / split.sum(0) * factors
    a["EVFB"] = a["EVFP"] / rate(len(ENDW), n, r)
    a["MAKB"], a["MAKS"] = np.zeros((n, n, r)), np.zeros((n, n, r))
    for c in range(n):
        a["MAKB"][c, c], a["MAKS"][c, c] = output[c], supplier[c]
    return a


def test_the_made_up_data_base_keeps_every_identity():
    a = synthetic()
    home = a["VDFB"].sum(1) + a["VDPB"] + a["VDGB"] + a["VDIB"]
    sold = home + a["VXSB"].sum(2)
    for k, margin in enumerate(MARG):
        sold[COMM.index(margin)] += a["VST"][k]
    close(a["MAKB"].sum(1), sold)
    cost = a["VDFP"].sum(0) + a["VMFP"].sum(0) + a["EVFP"].sum(0)
    close(a["MAKB"].sum(0), cost + (a["MAKB"] - a["MAKS"]).sum(0))
    close(a["VCIF"], a["VFOB"] + a["VTWR"].sum(0))
    close(a["VST"].sum(1), a["VTWR"].sum((1, 2, 3)))
    close(a["VMSB"].sum(1), a["VMFB"].sum(1) + a["VMPB"] + a["VMGB"] + a["VMIB"])


def close(a, b, rtol=1e-12, atol=1e-9):
    np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


def classic(a):
    """The same in the names and shapes of version 6.2: capital goods are a last producer."""
    out = {}
    for old, new in CLASSIC.items():
        out[old] = a[new]
        if old in INVESTMENT:
            out[old] = np.concatenate([a[new], a[INVESTMENT[old]][:, None]], axis=1)
        if old in ("VFM", "EVFA"):
            out[old] = np.concatenate([a[new], np.zeros((len(ENDW), 1, len(REG)))], axis=1)
    return out


def dims_of(name):
    if name in DIMS:
        return DIMS[name]
    new = DIMS[CLASSIC[name]]
    return tuple("PROD" if dim == "ACTS" else dim for dim in new)


def headers(a, kind="REFULL", axes=AXES):
    for name, values in a.items():
        dims = dims_of(name)
        if kind.startswith("RL"):
            yield Header(name, "", kind, values)
        else:
            yield Header(name, f"{name} long", kind, values, dims, tuple(axes[d] for d in dims))


def write_sets(path, axes=AXES, old=False):
    rows = (
        {"H1": REG, "H2": COMM, "H6": ENDW, "H9": ("CGDS",), "MARG": MARG}
        if old
        else {k: axes[k] for k in ("REG", "COMM", "MARG", "ACTS", "ENDW")}
    )
    listed = [Header(k, f"Set {k}", "1CFULL", v) for k, v in rows.items()]
    write_har(path, [*listed, Header("DVER", "", "REFULL", np.array(10.1))])
    return path


def write_csv(folder, a, zeros=True, shuffle=False, header=None):
    folder.mkdir(exist_ok=True)
    for name, values in a.items():
        dims = dims_of(name)
        rows = [
            [*(AXES[d][i] for d, i in zip(dims, index, strict=True)), repr(float(values[index]))]
            for index in np.ndindex(*values.shape)
            if zeros or values[index]
        ]
        if shuffle:
            np.random.default_rng(1).shuffle(rows)
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([[*(header or dims)[: len(dims)], "Value"], *rows])
    return folder


@pytest.fixture
def har(tmp_path):
    path = tmp_path / "gtap_2017.har"
    write_har(path, headers(synthetic()))
    return path


def single(a):
    return {k: v.astype(np.float32).astype(np.float64) for k, v in a.items()}


def alike(left, right, rtol=0.0):
    """Two tables with the same labels and numbers."""
    for name in ("year", "regions", "sectors", "final_categories", "value_added_categories"):
        assert getattr(left, name) == getattr(right, name)
    for name in ("Z", "F", "V", "T_inputs", "T_final"):
        close(getattr(left, name), getattr(right, name), rtol=rtol, atol=rtol)
    for key, margin in left.margins.items():
        close(margin.inputs, right.margins[key].inputs, rtol=rtol, atol=rtol)
        close(margin.final, right.margins[key].final, rtol=rtol, atol=rtol)


class TestTable:
    def test_labels(self, har):
        raw = read(har)
        assert raw.name == "gtap-2017"
        assert raw.year == 2017
        assert raw.regions == ("USA", "XEU", "ROW")
        assert raw.sector_codes == COMM
        assert raw.sectors[0].slug == "rice"
        assert raw.region_names["USA"] == "United States"
        assert raw.region_names["XEU"] == "XEU"
        assert raw.final_categories == (
            "household consumption", "government consumption", "investment", POOL,
        )  # fmt: skip
        assert raw.value_added_categories == (*ENDW, FACTOR_TAXES, OUTPUT_TAXES)
        assert raw.taxes == "separate"
        assert raw.unit == "million USD"
        assert (raw.rtol, raw.atol) == (1e-5, 0.01)
        assert list(raw.margins) == [TRANSPORT]

    def test_it_balances(self, har):
        raw = read(har)
        close(raw.sales, raw.costs, rtol=1e-6)
        close(raw.sales, raw.declared_output, rtol=1e-6)
        close(raw.declared_output, synthetic()["MAKB"].sum(1).T.ravel(), rtol=1e-6)
        assert (raw.Z >= 0).all()
        found = audit(raw)
        assert found.passed
        assert found.totals["largest_discrepancy"] < 1e-3
        build(raw)

    def test_it_balances_exactly_in_double_precision(self, tmp_path):
        raw = read(write_csv(tmp_path / "gtap", synthetic()), year=2014)
        close(raw.sales, raw.costs, rtol=1e-13)

    def test_published_totals(self, har):
        raw, a = read(har), single(synthetic())
        n, s = len(REG), len(COMM)
        flows = raw.Z.reshape(n, s, n, s).sum(3) + raw.F[..., :3].sum(2).reshape(n, s, n)
        home = a["VDFB"].sum(1) + a["VDPB"] + a["VDGB"] + a["VDIB"]
        for o, d in itertools.product(range(n), range(n)):
            want = a["VXSB"][:, o, d] + (home[:, d] if o == d else 0)
            close(flows[o, :, d], want, rtol=1e-6)
        taxes = sum(a["VFOB"].sum((1, 0)) - a["VXSB"].sum((1, 0)))
        taxes += sum(a["VMSB"].sum((1, 0)) - a["VCIF"].sum((1, 0)))
        for origin, user in itertools.product("DM", "FPGI"):
            taxes += a[f"V{origin}{user}P"].sum() - a[f"V{origin}{user}B"].sum()
        close(raw.T_inputs.sum() + raw.T_final.sum(), taxes, rtol=1e-6)
        margin = raw.margins[TRANSPORT]
        close(margin.inputs.sum() + margin.final.sum(), a["VTWR"].sum(), rtol=1e-6)
        close(raw.F[..., 3].sum(), a["VST"].sum(), rtol=1e-6)
        # What final users pay is what they get, with taxes and transport.
        paid = raw.F.sum(0) + raw.T_final + margin.final
        for k, user in enumerate("PGI"):
            close(paid[:, k], (a[f"VD{user}P"] + a[f"VM{user}P"]).sum(0), rtol=1e-6)
        assert not raw.T_final[:, 3].any()
        assert not margin.final[:, 3].any()
        # And what industries pay.
        paid = raw.Z.sum(0) + raw.T_inputs + margin.inputs
        close(paid, (a["VDFP"] + a["VMFP"]).sum(0).T.ravel(), rtol=1e-6)
        close(raw.V[:3].reshape(3, n, s), a["EVFB"].transpose(0, 2, 1))
        close(raw.V[:4].sum(), a["EVFP"].sum(), rtol=1e-6)
        close(raw.V[4].sum(), (a["MAKB"] - a["MAKS"]).sum(), rtol=1e-6)

    def test_every_cell(self, har):
        raw, a = read(har), single(synthetic())
        n, s = len(REG), len(COMM)
        imports = {
            (c, d): sum(a["VMSB"][c, o, d] for o in range(n)) for c in range(s) for d in range(n)
        }
        T = np.zeros(n * s)
        carried = np.zeros((n, 3))
        for d, j in itertools.product(range(n), range(s)):
            for c, o in itertools.product(range(s), range(n)):
                share = a["VMFB"][c, j, d] / imports[c, d]
                want = a["VXSB"][c, o, d] * share + (a["VDFB"][c, j, d] if o == d else 0)
                assert raw.Z[o * s + c, d * s + j] == pytest.approx(want, rel=1e-12)
                T[d * s + j] += share * (a["VFOB"][c, o, d] - a["VXSB"][c, o, d])
                T[d * s + j] += share * (a["VMSB"][c, o, d] - a["VCIF"][c, o, d])
            for c in range(s):
                T[d * s + j] += a["VDFP"][c, j, d] - a["VDFB"][c, j, d]
                T[d * s + j] += a["VMFP"][c, j, d] - a["VMFB"][c, j, d]
        close(raw.T_inputs, T, rtol=1e-10)
        for k, user in enumerate("PGI"):
            for d, c, o in itertools.product(range(n), range(s), range(n)):
                share = a[f"VM{user}B"][c, d] / imports[c, d]
                want = a["VXSB"][c, o, d] * share + (a[f"VD{user}B"][c, d] if o == d else 0)
                assert raw.F[o * s + c, d, k] == pytest.approx(want, rel=1e-12, abs=1e-12)
                carried[d, k] += share * sum(a["VTWR"][m, c, o, d] for m in range(len(MARG)))
        close(raw.margins[TRANSPORT].final[:, :3], carried, rtol=1e-10)
        pool = np.zeros((n * s, n))
        for k, margin in enumerate(MARG):
            for r in range(n):
                pool[r * s + COMM.index(margin), r] = a["VST"][k, r]
        close(raw.F[:, :, 3], pool)

    def test_it_says_what_is_estimated_and_what_is_inside(self, har):
        said = read(har).provenance
        assert "in proportion" in said["estimated"][0]
        assert "tariffs" in said["notes"][0]
        assert any(POOL in note for note in said["notes"])
        assert any("output taxes less subsidies." in note for note in said["notes"])
        assert said["file"] == "gtap_2017.har"
        assert len(said["sha256"]) == 64

    def test_imbalance_is_left_to_the_audit(self, tmp_path):
        a = synthetic()
        a["VXSB"][1, 0, 1] *= 2
        write_har(tmp_path / "g2017.har", headers(a))
        raw = read(tmp_path / "g2017.har")
        assert not audit(raw).passed
        gap = raw.sales - raw.declared_output
        assert np.flatnonzero(np.abs(gap) > 1).tolist() == [1]

    def test_imports_without_an_origin_are_named(self, tmp_path):
        a = synthetic()
        for name in ("VXSB", "VFOB", "VCIF", "VMSB"):
            a[name][2, :, 1] = 0
        a["VTWR"][:, 2, :, 1] = 0
        write_har(tmp_path / "g2017.har", headers(a))
        raw = read(tmp_path / "g2017.har")
        assert "are left out" in raw.provenance["notes"][-1]
        assert np.isfinite(raw.Z).all()
        assert not audit(raw).passed


class TestLayouts:
    def test_version_62(self, har, tmp_path):
        write_har(tmp_path / "c2017.har", headers(classic(synthetic())))
        raw = read(tmp_path / "c2017.har")
        alike(raw, read(har), rtol=1e-4)  # output taxes are a difference of single precision here
        close(raw.Z, read(har).Z, rtol=0)
        close(raw.F, read(har).F, rtol=0)
        assert raw.declared_output is None
        close(raw.sales, raw.costs, rtol=1e-6)
        assert audit(raw).passed
        assert "what is sold less what inputs" in raw.provenance["notes"][1]
        assert "version 6.2" in raw.provenance["data"]

    def test_csv_files(self, tmp_path):
        a = synthetic()
        full = read(write_csv(tmp_path / "full", a), year=2017)
        exact = tmp_path / "single"
        alike(read(write_csv(exact, single(a)), year=2017), self.from_har(a, tmp_path))
        alike(read(write_csv(tmp_path / "other", a, header="abcd"), year=2017), full)
        old = read(write_csv(tmp_path / "old", classic(a)), year=2017)
        alike(old, full, rtol=1e-12)

    def from_har(self, a, tmp_path):
        write_har(tmp_path / "x2017.har", headers(a))
        return read(tmp_path / "x2017.har")

    @pytest.mark.parametrize("old", [False, True])
    def test_csv_files_without_zeros_in_any_order(self, tmp_path, old):
        """The file of sets says the order; a cell without a line is zero."""
        a = synthetic()
        full = read(write_csv(tmp_path / "full", a), year=2017)
        folder = write_csv(tmp_path / "some", classic(a) if old else a, zeros=False, shuffle=True)
        raw = read(folder, year=2017)
        assert set(raw.sector_codes) == set(COMM)
        close(raw.sales.sum(), full.sales.sum())
        close(raw.sales, raw.costs)
        sets = write_sets(tmp_path / "s.har", old=old)
        alike(read(folder, year=2017, sets=sets), full, rtol=1e-12)
        shutil.copy(sets, folder / "gsdset.har")
        raw = read(folder, year=2017)
        alike(raw, full, rtol=1e-12)
        assert "data version 10.1" in raw.provenance["data"]

    def test_a_commodity_that_nobody_makes(self, tmp_path):
        """Without zeros an idle activity has no line at all."""
        a = synthetic()
        for name in ("VDFB", "VDFP", "VMFB", "VMFP", "EVFB", "EVFP"):
            a[name][:, 0] = 0
        raw = read(write_csv(tmp_path / "some", a, zeros=False), year=2017)
        rice = raw.sector_codes.index("Rice")
        assert not raw.Z[:, rice].any()
        assert len(raw.sectors) == len(COMM)

    def test_a_header_without_lines_is_zero(self, tmp_path):
        a = synthetic()
        a["VDIB"][:] = a["VDIP"][:] = 0
        raw = read(write_csv(tmp_path / "some", a, zeros=False), year=2017)
        assert (tmp_path / "some" / "VDIB.csv").read_text().count("\n") == 1
        assert raw.F[..., 2].sum() > 0

    def test_csv_files_in_a_zip(self, tmp_path):
        folder = write_csv(tmp_path / "full", synthetic())
        path = tmp_path / "gtap2017.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in folder.iterdir():
                archive.write(file, f"inside/{file.name.lower()}")
            archive.writestr("inside/readme.csv", "anything")
            archive.writestr("__MACOSX/inside/vdfb.csv", "x")
        alike(read(path), read(folder, year=2017))

    @pytest.mark.parametrize("name", ["basedata.har", "GSDFDAT.HAR", "gsddat.har", "own.har"])
    def test_folders_and_zips(self, har, tmp_path, name):
        folder = tmp_path / "gtap 2017"
        folder.mkdir()
        shutil.copy(har, folder / name)
        write_sets(folder / "sets.har")
        (folder / "readme.txt").write_text("x")
        want = read(har)
        got = read(folder)
        alike(got, want)
        assert got.provenance["file"] == name
        assert "data version 10.1" in got.provenance["data"]
        path = tmp_path / "x.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in folder.iterdir():
                archive.write(file, f"2017/{file.name}")
        alike(read(path), want)
        alike(read(folder, member=name), want)

    @pytest.mark.parametrize("old", [False, True])
    def test_arrays_without_sets(self, har, tmp_path, old):
        a = classic(synthetic()) if old else synthetic()
        path = tmp_path / "plain.har"
        write_har(path, headers(a, "RLFULL"))
        with pytest.raises(DataError, match="are not named; give the file of sets"):
            read(path, year=2017)
        sets = write_sets(tmp_path / "s.har", old=old)
        alike(read(path, year=2017, sets=sets), read(har), rtol=1e-4)

    def test_sparse_arrays(self, har, tmp_path):
        write_har(tmp_path / "s2017.har", headers(synthetic(), "RESPSE"))
        alike(read(tmp_path / "s2017.har"), read(har))

    def test_without_factor_taxes(self, har, tmp_path):
        a = synthetic()
        del a["EVFB"]
        write_har(tmp_path / "e2017.har", headers(a))
        raw = read(tmp_path / "e2017.har")
        assert raw.value_added_categories == (*ENDW, OUTPUT_TAXES)
        close(raw.V.sum(0), read(har).V.sum(0), rtol=1e-6)
        assert any("factor-use taxes and income taxes inside" in x for x in raw.provenance["notes"])

    def test_without_supplier_prices(self, har, tmp_path):
        a = synthetic()
        del a["MAKS"]
        write_har(tmp_path / "e2017.har", headers(a))
        alike(read(tmp_path / "e2017.har"), read(har), rtol=1e-4)

    def test_activities_in_another_order(self, har, tmp_path):
        a = synthetic()
        order = [3, 1, 0, 4, 2]
        for name in a:
            if "ACTS" in DIMS[name]:
                a[name] = a[name][:, order]
        axes = AXES | {"ACTS": tuple(COMM[i].upper() for i in order)}
        write_har(tmp_path / "o2017.har", headers(a, axes=axes))
        alike(read(tmp_path / "o2017.har"), read(har))

    def test_data_version(self, tmp_path):
        more = [Header("DVER", "", "REFULL", np.array(11.0))]
        write_har(tmp_path / "o2017.har", [*headers(synthetic()), *more])
        assert read(tmp_path / "o2017.har").provenance["data"].endswith("data version 11")


class TestYear:
    def test_from_the_name(self, har, tmp_path):
        folder = tmp_path / "v10 2011"
        folder.mkdir()
        shutil.copy(har, folder / "basedata.har")
        assert read(folder).year == 2011
        assert read(folder, year=2011).year == 2011
        with pytest.raises(DataError, match="named 2011, but 2014"):
            read(folder, year=2014)

    def test_none_or_several(self, har, tmp_path):
        path = tmp_path / "basedata.har"
        shutil.copy(har, path)
        with pytest.raises(DataError, match="no year; say which"):
            read(path)
        assert read(path, year=2014).year == 2014
        shutil.copy(har, tmp_path / "2014 of 2019.har")
        with pytest.raises(DataError, match="holds the years"):
            read(tmp_path / "2014 of 2019.har")
        assert read(tmp_path / "2014 of 2019.har", year=2014).year == 2014


def changed(tmp_path, name, change, axes=AXES):
    a = synthetic()
    listed = [change(h) if h.name == name else h for h in headers(a, axes=axes)]
    path = tmp_path / "g2017.har"
    write_har(path, [h for h in listed if h is not None])
    return path


class TestRefused:
    @pytest.mark.parametrize("name", sorted(set(DIMS) - {"EVFB", "MAKB", "MAKS"}))
    def test_incomplete(self, tmp_path, name):
        match = "neither of VDFB" if name == "VDFB" else f"no {name};"
        with pytest.raises(DataError, match=match):
            read(changed(tmp_path, name, lambda h: None))

    def test_neither_version(self, tmp_path):
        write_har(tmp_path / "g2017.har", [Header("A", "", "1CFULL", ("x",))])
        with pytest.raises(DataError, match=r"neither of VDFB .* It holds 'A'"):
            read(tmp_path / "g2017.har")
        both = [*headers(synthetic()), next(headers(classic(synthetic())))]
        write_har(tmp_path / "g2017.har", both)
        with pytest.raises(DataError, match="both of VDFB"):
            read(tmp_path / "g2017.har")

    def test_other_elements(self, tmp_path):
        def change(h):
            return replace(h, sets=("COMM", "R2"), elements=(COMM, ("usa", "xeu", "rest")))

        with pytest.raises(DataError, match=r"VDPB: its elements of REG are not those of .*VDFB"):
            read(changed(tmp_path, "VDPB", change))

    def test_another_order(self, tmp_path):
        def change(h):
            return replace(h, sets=("COMM", "R2"), elements=(COMM, REG[::-1]))

        with pytest.raises(DataError, match="in another order"):
            read(changed(tmp_path, "VDPB", change))

    def test_other_dimensions(self, tmp_path):
        def change(h):
            return replace(h, values=h.values[:, 0], sets=h.sets[:1], elements=h.elements[:1])

        with pytest.raises(DataError, match="VDPB: 1 dimensions; 2 were expected"):
            read(changed(tmp_path, "VDPB", change))

    def test_other_sizes(self, tmp_path):
        path = changed(tmp_path, "VDPB", lambda h: Header("VDPB", "", "RLFULL", h.values[:, :2]))
        with pytest.raises(DataError, match="VDPB: 2 cells for 3 elements of REG"):
            read(path)

    def test_strings(self, tmp_path):
        path = changed(tmp_path, "VDPB", lambda h: Header("VDPB", "", "1CFULL", ("x",)))
        with pytest.raises(DataError, match="VDPB: strings"):
            read(path)

    def test_other_sets(self, har, tmp_path):
        sets = write_sets(tmp_path / "s.har", AXES | {"REG": ("usa", "xeu", "rest")})
        with pytest.raises(
            DataError, match=r"REG are not those of the file of sets .*'rest', 'row'"
        ):
            read(har, sets=sets)
        write_har(tmp_path / "s.har", [Header("A", "", "1CFULL", ("x",))])
        with pytest.raises(DataError, match="lists none of the sets"):
            read(har, sets=tmp_path / "s.har")
        write_har(tmp_path / "s.har", [Header("REG", "", "RLFULL", np.ones(3))])
        with pytest.raises(DataError, match="header REG: numbers"):
            read(har, sets=tmp_path / "s.har")

    def test_activities_that_make_several_commodities(self, tmp_path):
        def change(h):
            values = h.values.copy()
            values[1, 3, 2] = 5
            return replace(h, values=values)

        for name in ("MAKB", "MAKS"):
            with pytest.raises(
                DataError, match=rf"\({name}: svc makes mfg in Row, 5 million.*aggregate"
            ):
                read(changed(tmp_path, name, change))

    def test_activities_of_other_names(self, tmp_path):
        axes = AXES | {"ACTS": ("farm", *COMM[1:])}
        write_har(tmp_path / "g2017.har", headers(synthetic(), axes=axes))
        with pytest.raises(DataError, match=r"'farm', 'rice'.*aggregate"):
            read(tmp_path / "g2017.har")

    def test_margins_that_are_no_commodities(self, tmp_path):
        axes = AXES | {"MARG": ("otp", "sea")}
        write_har(tmp_path / "g2017.har", headers(synthetic(), axes=axes))
        with pytest.raises(DataError, match="'sea' of MARG"):
            read(tmp_path / "g2017.har")

    def test_elements_that_differ_by_case_only(self, tmp_path):
        axes = AXES | {"REG": ("usa", "USA", "row")}
        write_har(tmp_path / "g2017.har", headers(synthetic(), axes=axes))
        with pytest.raises(DataError, match="REG: 'usa' stand"):
            read(tmp_path / "g2017.har")

    def test_capital_goods(self, tmp_path):
        a = classic(synthetic())
        a["EVFA"][0, -1, 1] = 7
        write_har(tmp_path / "g2017.har", headers(a))
        with pytest.raises(DataError, match=r"use factors \(EVFA, 7 million"):
            read(tmp_path / "g2017.har")
        a = classic(synthetic())
        for name in a:
            if "PROD" in dims_of(name):
                a[name] = a[name][:, :-1]
        write_har(tmp_path / "g2017.har", headers(a, axes=AXES | {"PROD": COMM}))
        with pytest.raises(DataError, match="no producer is of capital goods"):
            read(tmp_path / "g2017.har")

    def test_too_many_nodes(self, har, monkeypatch):
        monkeypatch.setattr("entrepot.sources.gtap.MAX_NODES", 14)
        with pytest.raises(DataError, match="15 region-sectors; more than 14"):
            read(har)

    def test_places(self, har, tmp_path):
        with pytest.raises(DataError, match="no such file"):
            read(tmp_path / "none", year=2017)
        empty = tmp_path / "empty"
        empty.mkdir()
        with pytest.raises(DataError, match="holds no GTAP data base"):
            read(empty, year=2017)
        with pytest.raises(DataError, match="neither a folder nor a zip"):
            read(har, member="x.har")
        shutil.copy(har, empty / "basedata.har")
        shutil.copy(har, empty / "gsddat.har")
        with pytest.raises(DataError, match="2 header array files"):
            read(empty, year=2017)
        assert read(empty, year=2017, member="gsddat.har").provenance["file"] == "gsddat.har"
        with pytest.raises(DataError, match=r"holds 0 files 'x.har'"):
            read(empty, year=2017, member="x.har")
        shutil.copy(write_sets(tmp_path / "s.har"), empty / "sets.har")
        shutil.copy(tmp_path / "s.har", empty / "gsdset.har")
        with pytest.raises(DataError, match="2 files of sets"):
            read(empty, year=2017, member="gsddat.har")


class TestCsvRefused:
    @pytest.fixture
    def folder(self, tmp_path):
        return write_csv(tmp_path / "gtap2017", synthetic())

    @pytest.mark.parametrize(
        ("text", "match"),
        [
            ("COMM,REG,EXTRA,Value\n", "4 columns; 3 were expected: COMM, REG"),
            ("COMM,REG\nRice,usa\n", "2 columns"),
            ("Rice,usa,5\nmfg,usa,6\n", "no line of column names"),
            ("C,R,V\nRice,usa,5\nRice,usa,6\n", "Rice / usa is given more than once"),
            ("C,R,V\nRice,usa,5\nRice, USA,6\n", "more than once"),
            ("C,R,V\nRice,usa,\n", "Rice / usa is blank"),
            ("C,R,V\nRice,usa,inf\n", "not finite"),
            ("C,R,V\nRice,usa,x\n", "not a long table"),
            ("C,R,V\nRice,usa\n", "not a long table"),
            ("", "1 columns|first line|0 columns"),
        ],
    )
    def test_files(self, folder, text, match):
        (folder / "VDPB.csv").write_text(text)
        with pytest.raises(DataError, match=match):
            read(folder)

    def test_a_commodity_misspelt(self, folder):
        text = (folder / "VDPB.csv").read_text()
        (folder / "VDPB.csv").write_text(text.replace("svc,usa", "scv,usa"))
        raw = read(folder)
        assert "'scv'" in raw.provenance["notes"][-1]
        assert not audit(raw).passed

    def test_numbers_out_of_all_bounds_are_left_to_the_audit(self, folder):
        for name in ("VXSB", "VFOB", "VMFB", "VDPB"):
            text = (folder / f"{name}.csv").read_text().splitlines()
            rows = [text[0], *(f"{line.rpartition(',')[0]},1e308" for line in text[1:])]
            (folder / f"{name}.csv").write_text("\n".join(rows))
        assert not np.isfinite(read(folder).Z).all()

    def test_missing_files(self, folder):
        (folder / "VST.csv").unlink()
        with pytest.raises(DataError, match="no VST"):
            read(folder)

    def test_labels_outside_the_sets(self, folder, tmp_path):
        sets = write_sets(tmp_path / "s.har")
        (folder / "VDPB.csv").write_text("C,R,V\nnone,usa,1\n")
        with pytest.raises(DataError, match="'none' of COMM not in the file of sets"):
            read(folder, sets=sets)

    def test_the_same_header_twice(self, folder):
        path = folder.parent / "x2017.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for sub in ("a", "b"):
                archive.write(folder / "VDFB.csv", f"{sub}/VDFB.csv")
        with pytest.raises(DataError, match="VDFB' stand"):
            read(path)

    def test_out_of_proportion(self, folder):
        """Labels of a few files that would span billions of cells."""
        rows = "".join(f"c{i},r{i},1\n" for i in range(30_000))
        (folder / "VDPB.csv").write_text("C,R,V\n" + rows)
        tracemalloc.start()
        try:
            with pytest.raises(DataError, match="are refused"):
                read(folder)
            assert tracemalloc.get_traced_memory()[1] < 100_000_000
        finally:
            tracemalloc.stop()


class TestDamage:
    def test_cut_short(self, har, tmp_path):
        raw, path = har.read_bytes(), tmp_path / "d2017.har"
        for size in range(0, len(raw), 97):
            path.write_bytes(raw[:size])
            with pytest.raises(DataError, match="d2017"):
                read(path)

    @given(st.integers(0, 100_000), st.integers(1, 255))
    def test_a_byte_turned(self, tmp_path_factory, at, flip):
        path = tmp_path_factory.mktemp("gtap") / "d2017.har"
        write_har(path, headers(synthetic()))
        raw = bytearray(path.read_bytes())
        raw[at % len(raw)] ^= flip
        path.write_bytes(raw)
        try:
            read(path)
        except DataError as error:
            assert str(error)  # noqa: PT017

    def test_the_reader_asks_only_for_what_it_needs(self, har):
        """A damaged header that is no part of the table does not matter."""
        more = [*read_har(har).values(), Header("OTHR", "", "1CFULL", ("x",))]
        write_har(har, more)
        har.write_bytes(har.read_bytes().replace(b"    1CFULL", b"    9ZFULL"))
        assert read(har).year == 2017
