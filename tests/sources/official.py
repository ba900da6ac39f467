"""Small tables written in the providers' official layouts, as the descriptions of the files have them.

Each writer takes a `Content` and is independent of the readers: it places
cells by the published description, never through the package's own layout code.
"""

from __future__ import annotations

import csv
import struct
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass
class Content:
    """A balanced table: numbers on region codes of the provider, exact in decimal."""

    regions: list
    sectors: list
    finals: list
    Z: np.ndarray
    F: np.ndarray
    V: np.ndarray
    T_inputs: np.ndarray
    T_final: np.ndarray
    margins: dict = field(default_factory=dict)  # name -> (inputs, final)
    year: int = 2015

    @property
    def x(self):
        return self.Z.sum(1) + self.F.sum((1, 2))


def content(regions, sectors, finals, added=1, margins=(), seed=0, decimals=3, year=2015):
    """Random numbers with a few decimals; value added closes the columns; stocks are drawn."""
    rng = np.random.default_rng(seed)
    n, s, c = len(regions), len(sectors), len(finals)
    m = n * s

    def draw(*shape):
        return np.round(rng.lognormal(1, 1, shape), decimals)

    Z = draw(m, m) * (rng.random((m, m)) < 0.8)
    F = draw(m, n, c) * 4
    F[:, :, -1] = np.round(rng.normal(0, 0.3, (m, n)), decimals)
    T = np.round(rng.normal(0, 0.2, m), decimals)
    T_final = np.round(rng.normal(0, 1, (n, c)), decimals)
    extra = {}
    for k, name in enumerate(margins):
        on_inputs = (
            np.round(rng.random(m) * 0.1, decimals) if k == len(margins) - 1 else np.zeros(m)
        )
        extra[name] = (on_inputs, np.round(rng.normal(0, 1, (n, c)), decimals))
    x = Z.sum(1) + F.sum((1, 2))
    rest = np.round(x - Z.sum(0) - T - sum(v[0] for v in extra.values()), decimals)
    V = np.zeros((added, m))
    for k in range(added - 1):
        V[k] = np.round(rest * (0.5 - 0.2 * k), decimals)
    V[-1] = np.round(rest - V[:-1].sum(0), decimals)
    return Content(list(regions), list(sectors), list(finals), np.round(Z, decimals),
                   np.round(F, decimals), V, T, T_final, extra, year)  # fmt: skip


def text(value):
    return repr(round(float(value), 9)) if value else "0"


def matrix_rows(c, label, final_label, corner, closing, totals):
    """The cells of a wide CSV: header and rows."""
    nodes = [label(r, s) for r in c.regions for s in c.sectors]
    finals = [final_label(r, f) for r in c.regions for f in c.finals]
    yield [corner, *nodes, *finals, *(["OUT"] if totals else [])]
    F = c.F.reshape(len(nodes), -1)
    for i, node in enumerate(nodes):
        cells = [*c.Z[i], *F[i], *([c.x[i]] if totals else [])]
        yield [node, *map(text, cells)]
    for name, on_inputs, on_final in closing:
        total = [on_inputs.sum() + on_final.sum()] if totals else []
        yield [name, *map(text, [*on_inputs, *on_final.ravel(), *total])]


def write_csv(path, rows, delimiter=",", quote=False, newline="\n", bom=False):
    with Path(path).open("w", newline="", encoding="utf-8-sig" if bom else "utf-8") as file:
        quoting = csv.QUOTE_NONNUMERIC if quote else csv.QUOTE_MINIMAL
        writer = csv.writer(file, delimiter=delimiter, quoting=quoting, lineterminator=newline)
        for k, row in enumerate(rows):
            numbers = [float(x) for x in row[1:]] if quote and k else row[1:]
            writer.writerow([row[0], *numbers])
    return path


ICIO_FINALS = ("HFCE", "NPISH", "GGFC", "GFCF", "INVNT", "DPABR")


def icio_rows(c, corner="V1"):
    none = np.zeros_like(c.T_final)
    yield from matrix_rows(
        c,
        lambda r, s: f"{r}_{s}",
        lambda r, f: f"{r}_{f}",
        corner,
        [("TLS", c.T_inputs, c.T_final), ("VA", c.V.sum(0), none), ("OUT", c.x, none)],
        True,
    )


FIGARO_FINALS = ("P3_S13", "P3_S14", "P3_S15", "P51G", "P5M")
FIGARO_CLOSING = ("W2_D21X31", "W2_OP_RES", "W2_OP_NRES", "W2_D1", "W2_D29X39", "W2_B2A3G")


def _figaro_closing(c):
    none = np.zeros_like(c.T_final)
    res, nres = c.margins["OP_RES"], c.margins["OP_NRES"]
    return [
        ("W2_D21X31", c.T_inputs, c.T_final),
        ("W2_OP_RES", *res),
        ("W2_OP_NRES", *nres),
        ("W2_D1", c.V[0], none),
        ("W2_D29X39", c.V[1], none),
        ("W2_B2A3G", c.V[2], none),
    ]


def figaro_matrix_rows(c, prefix=""):
    yield from matrix_rows(
        c,
        lambda r, s: f"{r}_{prefix}{s}",
        lambda r, f: f"{r}_{f}",
        "rowLabels",
        _figaro_closing(c),
        False,
    )


def figaro_flat_rows(c, letter="I", zeros=True):
    yield ["icioiRow", "icioiCol", "refArea", f"row{letter}i", "counterpartArea", f"col{letter}i",
           "obsValue"]  # fmt: skip
    rows = list(figaro_matrix_rows(c))
    for row in rows[1:]:
        for label, value in zip(rows[0][1:], row[1:], strict=True):
            if zeros or float(value):
                a, b = row[0].split("_", 1), label.split("_", 1)
                yield [row[0], label, *a, *b, value]


def zipped(path, name, source):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(source, name)
    return path


# --- workbooks ------------------------------------------------------------------------------

CLOSING_2013 = (
    ("r60", "Total intermediate consumption"),
    ("r99", "Taxes less subsidies on products"),
    ("r61", "Cif/ fob adjustments on exports"),
    ("r62", "Direct purchases abroad by residents"),
    ("r63", "Purchases on the domestic territory by non-residents"),
    ("r64", "Value added at basic prices"),
    ("r65", "International Transport Margins"),
    ("r69", "Output at basic prices"),
)
CLOSING_2016 = (
    ("II_fob", "Total intermediate consumption"),
    ("TXSP", "taxes less subsidies on products"),
    ("EXP_adj", "Cif/ fob adjustments on exports"),
    ("PURR", "Direct purchases abroad by residents"),
    ("PURNR", "Purchases on the domestic territory by non-residents "),
    ("VA", "Value added at basic prices"),
    ("IntTTM", "International Transport Margins"),
    ("GO", "Output at basic prices"),
)
MARGINS = ("cif/fob", "abroad", "at home", "transport")


def closing_values(c):
    """The eight closing rows over (industries, final use)."""
    n, f = c.T_final.shape
    none = np.zeros((n, f))
    cif, abroad, home, transport = (c.margins[k] for k in MARGINS)
    final_total = c.F.sum(0)
    whole = final_total + c.T_final + sum(c.margins[k][1] for k in MARGINS)
    return [
        (c.Z.sum(0), final_total),
        (c.T_inputs, c.T_final),
        cif,
        abroad,
        home,
        (c.V.sum(0), none),
        transport,
        (c.x, whole),
    ]


def sheet_cells(c, titles, codes, names, item, final_items, final_codes, final_names, closing,
                total, row_item, column_a=True, blank=None, extra_header=None):  # fmt: skip
    """A list of rows of cells in the WIOD and ADB grid."""
    n, s = len(c.regions), len(c.sectors)
    f = len(c.finals)
    head_codes = [codes[k] for _ in range(n) for k in range(s)] + list(final_codes) * n
    head_names = [names[k] for _ in range(n) for k in range(s)] + list(final_names) * n
    head_regions = [r for r in c.regions for _ in range(s)] + [
        r for r in c.regions for _ in range(f)
    ]
    head_items = [item(k) for _ in range(n) for k in range(s)] + list(final_items) * n
    pad = [blank] * 4
    header = [
        [*pad, *head_codes, total[0]],
        [*pad, *head_names, total[1]],
        [*pad, *head_regions, total[2]],
        [*pad, *head_items, total[3]],
    ]
    if not column_a:  # the bank's sheets have no row of industry codes, but a blank one
        header[0] = [blank] * (4 + n * s + n * f + 1)
    if extra_header:
        header.insert(0, extra_header)
    rows = []
    for k, title in enumerate(titles):
        if column_a and k >= 2:
            header[k - 2][0] = title  # titles and header overlap
        else:
            rows.append([title])
    rows += header
    F = c.F.reshape(n * s, n * f)
    for d, r in enumerate(c.regions):
        for k in range(s):
            i = d * s + k
            label = [codes[k] if column_a else blank, names[k], r, row_item(d, k)]
            rows.append([*label, *c.Z[i].tolist(), *F[i].tolist(), float(c.x[i])])
    for (code, name), (a, b) in zip(closing, closing_values(c), strict=True):
        first = code if column_a and not code.startswith("r") else blank
        label = [first, name, "TOT", code if code.startswith("r") else f"r{60}"]
        rows.append([*label, *a.tolist(), *b.ravel().tolist(), float(a.sum() + b.sum())])
    return rows


def wiod_2013_cells(c, names):
    codes = ["AtB", "C", "15t16", 19.0, 20.0, *range(50, 90)][: len(c.sectors)]
    return sheet_cells(
        c,
        [f"World Input-Output Table for {c.year}", "in current prices", "(industry-by-industry)",
         "(millions of US$)"],
        codes, names,
        item=lambda k: f"c{k + 1}",
        final_items=["c37", "c38", "c39", "c41", "c42"],
        final_codes=[None] * 5,
        final_names=["Final consumption expenditure by households", "NPISH", "Government",
                     "Gross fixed capital formation", "Changes in inventories and valuables"],
        closing=CLOSING_2013,
        total=(None, "Total output", "TOT", None),
        row_item=lambda d, k: f"c{k + 1}",
    )  # fmt: skip


CODES_2016 = ("A01", "C10-C12", "J59_J60", "R_S", "U")


def wiod_2016_cells(c, names, running=False):
    s = len(c.sectors)
    return sheet_cells(
        c,
        ["Intercountry Input-Output Table", "43 countries, in current prices",
         "(industry-by-industry)", "(millions of US$)"],
        list(CODES_2016[:s]), names,
        item=lambda k: f"c{k + 1}",
        final_items=["c57", "c58", "c59", "c60", "c61"],
        final_codes=["CONS_h", "CONS_np", "CONS_g", "GFCF", "INVEN"],
        final_names=["h", "np", "g", "GFCF", "inv"],
        closing=CLOSING_2016,
        total=("GO", "Total output", "TOT", "c62"),
        row_item=lambda d, k: f"r{d * s + k + 1}" if running else f"r{k + 1}",
    )  # fmt: skip


ADB_FINAL_NAMES = (
    "Final consumption expenditure by households", "Final consumption expenditure by NPISHs",
    "Final consumption expenditure by government", "Gross fixed capital formation",
    "Changes in inventories",
)  # fmt: skip


def adb_cells(c, names, transport="trs"):
    closing = [(transport if code == "r65" else code, name) for code, name in CLOSING_2013]
    rows = sheet_cells(
        c,
        [f"Multiregional Input-Output Table {c.year}",
         f"{len(c.regions)} economies, at current prices (industry by industry)",
         "In millions of US$"],
        [None] * len(c.sectors), names,
        item=lambda k: f"c{k + 1}",
        final_items=[f"F{k}" for k in range(1, 6)],
        final_codes=[None] * 5,
        final_names=list(ADB_FINAL_NAMES),
        closing=closing,
        total=(None, "TOTAL", "ToT", None),
        row_item=lambda d, k: f"c{k + 1}",
        column_a=False,
    )  # fmt: skip
    return rows


def write_xlsx(path, sheets):
    """Sheets by name, each a list of rows of cells."""
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append([float(x) if isinstance(x, np.floating) else x for x in row])
    book.save(path)
    return path


def write_xlsb(path, name, rows):
    """A binary workbook (MS-XLSB): one sheet, numbers as Real or Rk records, text inline."""

    def record(kind, data=b""):
        head = bytes([kind]) if kind < 128 else bytes([kind & 127 | 128, kind >> 7])
        size, n = b"", len(data)
        while True:
            size += bytes([n & 127 | (128 if n > 127 else 0)])
            n >>= 7
            if not n:
                return head + size + data

    def wide(word):
        return struct.pack("<I", len(word)) + word.encode("utf-16-le")

    out = bytearray(record(129))
    size = (0, len(rows) - 1, 0, max(map(len, rows)) - 1)
    out += record(148, struct.pack("<4I", *size)) + record(145)
    for i, row in enumerate(rows):
        out += record(0, struct.pack("<IIHBBBI", i, 0, 300, 0, 0, 0, 0))
        for j, cell in enumerate(row):
            place = struct.pack("<II", j, 0)
            if cell is None:
                continue
            if isinstance(cell, str):
                out += record(6, place + wide(cell))
            elif float(cell).is_integer() and abs(cell) < 2**28:
                out += record(2, place + struct.pack("<I", (int(cell) << 2 & 0xFFFFFFFF) | 2))
            else:
                out += record(5, place + struct.pack("<d", cell))
    sheet = bytes(out + record(146) + record(130))
    book = record(131) + record(143)
    book += record(156, struct.pack("<II", 0, 1) + wide("rId1") + wide(name))
    book += record(144) + record(132)
    main = "http://schemas.openxmlformats.org"
    parts = {
        "[Content_Types].xml": f'<?xml version="1.0"?><Types xmlns="{main}/package/2006/content-types">'
        '<Default Extension="bin" ContentType="application/vnd.ms-excel.sheet.binary.macroEnabled.main"/>'
        '<Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/></Types>',
        "_rels/.rels": f'<?xml version="1.0"?><Relationships xmlns="{main}/package/2006/relationships">'
        f'<Relationship Id="rId1" Type="{main}/officeDocument/2006/relationships/officeDocument" '
        'Target="xl/workbook.bin"/></Relationships>',
        "xl/_rels/workbook.bin.rels": '<?xml version="1.0"?>'
        f'<Relationships xmlns="{main}/package/2006/relationships"><Relationship Id="rId1" '
        f'Type="{main}/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.bin"/>'
        "</Relationships>",
        "xl/workbook.bin": book,
        "xl/worksheets/sheet1.bin": sheet,
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, data in parts.items():
            archive.writestr(part, data)
    return path


RNR_2016 = (65, 66, 67, 68, 69, 70, 71, 73)


def write_stata_2016(path, c, names):
    """The wide Stata table of the 2016 release."""
    import pandas as pd

    n, s = len(c.regions), len(c.sectors)
    f = len(c.finals)
    F = c.F.reshape(n * s, n * f)
    body = np.hstack([c.Z, F, c.x[:, None]])
    low = np.array([[*a, *b.ravel(), a.sum() + b.sum()] for a, b in closing_values(c)])
    labels = [f"v{r}{k + 1}" for r in c.regions for k in range(s)]
    labels += [f"v{r}{s + k + 1}" for r in c.regions for k in range(f)] + ["TOT"]
    frame = pd.DataFrame(np.vstack([body, low]), columns=labels)
    frame.insert(
        0, "IndustryCode", [*list(CODES_2016[:s]) * n, *[code for code, _ in CLOSING_2016]]
    )
    frame.insert(1, "IndustryDescription", [*list(names) * n, *[name for _, name in CLOSING_2016]])
    frame.insert(2, "Country", [r for r in c.regions for _ in range(s)] + ["TOT"] * 8)
    frame.insert(3, "RNr", np.array([*list(range(1, s + 1)) * n, *RNR_2016], dtype=np.int8))
    frame.insert(4, "Year", np.full(len(frame), c.year, dtype=np.int16))
    frame.to_stata(path, write_index=False, version=118)
    return path
