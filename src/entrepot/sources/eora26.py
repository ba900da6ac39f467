"""Eora26: 189 countries x 26 sectors and a row and column of statistical discrepancy, zip or folder.

Tab-separated matrices without labels, at basic prices: transactions `T`, final
demand `FD` and value added `VA`, named `Eora26_YEAR_bp_*.txt`; labels in
`labels_T.txt`, `labels_FD.txt` and `labels_VA.txt`, beside the matrices or in
`indices.zip` beside them.

The last region, `ROW`, is no place but what the source could not reconcile: one
row and one column of `T`, and final-demand columns. Its row is kept as a
margin that buyers pay, its columns as a category of final use in the seller's
own region, so that every row and column keeps its total; only its own cells
(`ROW` to `ROW`, its value added) belong to nobody, and are stated in the notes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from entrepot.core.errors import DataError
from entrepot.core.labels import require_unique, some
from entrepot.core.tables import Margin, Sector, sealed
from entrepot.sources.archive import is_zip
from entrepot.sources.files import Files
from entrepot.sources.raw import MAX_NODES, RawTable
from entrepot.sources.text import read_numbers, words_of

ROW = "ROW"
FROM_ROW = "statistical discrepancy: inputs from ROW"
TO_ROW = "statistical discrepancy: sales to ROW"
FILE = re.compile(r"^Eora26_((?:19|20)\d\d)_(bp|pp)_T\.txt$", re.IGNORECASE)
ZIP = re.compile(r"^Eora26_(?P<year>(?:19|20)\d\d)_bp\.zip$", re.IGNORECASE)
INDICES = "indices.zip"
PARTS = ("T", "FD", "VA")
# Codes of the source that are not those of ISO 3166.
ISO = {"SUD": "SDN", "SDS": "SSD"}
TAB = "\t"
# The published cells are unrounded; the table is not balanced beyond its discrepancies.
RTOL, ATOL = 1e-6, 1.0


@dataclass(frozen=True, eq=False, slots=True)
class _Labels:
    """Labels of the nodes in order, and where they and the discrepancy stand in the files."""

    regions: tuple[str, ...]
    names: tuple[str, ...]
    sectors: tuple[str, ...]
    finals: tuple[str, ...]
    added: tuple[tuple[str, str], ...]
    row: int
    node: NDArray[np.bool_]
    final: NDArray[np.bool_]


def matches(path: Path) -> bool:
    """Whether a folder or zip is Eora26, by its name and those of its files."""
    try:
        if path.is_dir():
            return any(ZIP.match(n) or FILE.match(_base(n)) for n in Files(path).names)
        if not path.is_file() or not is_zip(path):
            return False
        return bool(ZIP.match(path.name)) or any(FILE.match(_base(n)) for n in Files(path).names)
    except (DataError, OSError):
        return False


def read(path: Path, *, year: int | None = None, member: str | None = None) -> RawTable:
    """One year of Eora26 at basic prices, from its zip or the folder unpacked from it.

    Parameters
    ----------
    year, member : which of several; `member` is the name of the file `T`.

    Raises DataError naming file and place for files that are missing or cut
    short, cells that are no number, and labels that are missing, stand twice,
    differ between the files or are not the same sectors in every country.

    """
    files = Files(path)
    loose = any(FILE.match(_base(name)) for name in files.names)
    if not loose and (inside := files.packed(ZIP, year, member)):
        return read(inside[0], year=year, member=inside[1])
    first, when = _choose(files, year, member)
    labels, source = _labels(files, first)
    at = {part: files.require(f"{first[: -len('T.txt')]}{part}.txt") for part in PARTS}
    n, s, c = len(labels.regions), len(labels.sectors), len(labels.finals)
    m = n * s
    with files.open(at["VA"]) as opened:
        VA = read_numbers(opened, TAB, len(labels.added), m + 1)
    with files.open(at["FD"]) as opened:
        FD = read_numbers(opened, TAB, m + 1, len(labels.final))
    with files.open(at["T"]) as opened:
        T = read_numbers(opened, TAB, m + 1, m + 1)

    row, node, final = labels.row, labels.node, labels.final
    categories = tuple(dict.fromkeys(item for _, item in labels.added))
    V = np.zeros((len(categories), m))
    F = np.zeros((m, n, c + 1))
    F[:, :, :c] = FD[np.ix_(node, final)].reshape(m, n, c)
    with np.errstate(invalid="ignore", over="ignore"):  # the audit names what is not finite
        for values, (_, item) in zip(VA[:, node], labels.added, strict=True):
            V[categories.index(item)] += values
        sold, used = T[node, row], FD[np.ix_(node, ~final)].sum(1)
        F[np.arange(m), np.arange(m) // s, c] = sold + used
        sums = [float(x.sum()) for x in (sold, used, T[row, row], FD[row, ~final], VA[:, row])]
    margin = np.zeros((n, c + 1))
    margin[:, :c] = FD[row, final].reshape(n, c)
    inputs, Z = T[row, node], sealed(T[np.ix_(node, node)])
    regions = tuple(ISO.get(r, r) for r in labels.regions)
    notes = [
        f"ROW of the source is its statistical discrepancy. Its row is the margin {FROM_ROW!r}. Its "
        f"column of inputs (sum {sums[0]:,.6g} thousand USD) and its final demand ({sums[1]:,.6g}) "
        f"are the final use {TO_ROW!r} of the seller's own region.",
        f"What ROW sells to itself is in no account of this table: inputs {sums[2]:,.6g}, final "
        f"demand {sums[3]:,.6g}; nor is its value added, {sums[4]:,.6g} thousand USD.",
        "The source states no product taxes of their own.",
        *(f"{old} of the source is {new}." for old, new in ISO.items() if old in labels.regions),
    ]
    return RawTable(
        name=f"eora26-{when}",
        year=when,
        regions=regions,
        sectors=tuple(Sector(x, x, x.lower()) for x in labels.sectors),
        Z=Z,
        F=sealed(F),
        V=sealed(V),
        T_inputs=np.zeros(m),
        T_final=np.zeros((n, c + 1)),
        final_categories=(*labels.finals, TO_ROW),
        value_added_categories=categories,
        margins={FROM_ROW: Margin(inputs, margin)},
        to_million=1e-3,
        region_names=dict(zip(regions, labels.names, strict=True)),
        provenance={
            "data": f"Eora26, year {when}, basic prices (Lenzen, Moran, Kanemoto and Geschke 2013)",
            "file": path.absolute().name,
            "sha256": files.digest(list(at.values())),
            "labels": source,
            "terms": "free for academic degrees and journal articles only, not to be passed on",
            "notes": notes,
            "estimated": [],
        },
        rtol=RTOL,
        atol=ATOL,
    )


def _base(name: str) -> str:
    return name.rpartition("/")[2]


# --- which files -----------------------------------------------------------------------------


def _choose(files: Files, year: int | None, member: str | None) -> tuple[str, int]:
    """The file T at basic prices, and its year."""
    known = [(name, m) for name in files.names if (m := FILE.match(_base(name)))]
    good = [
        (name, m)
        for name, m in known
        if (name == member if member is not None else m[2].lower() == "bp")
        and (member is not None or year in (None, int(m[1])))
    ]
    if len(good) != 1:
        wanted = member or f"Eora26_{year or 'YEAR'}_bp_T.txt"
        raise DataError(
            f"{files.path} holds {len(good)} files {wanted}; "
            f"it holds {some([name for name, _ in known] or files.names)}. One is read: say which "
            "with --year or --member."
        )
    name, found = good[0]
    if found[2].lower() != "bp":
        raise DataError(f"{files.where(name)}: at purchasers' prices; basic prices are read (bp).")
    if year is not None and year != int(found[1]):
        raise DataError(f"{files.where(name)}: named {found[1]}, but {year} was asked for.")
    return name, int(found[1])


def _labels(files: Files, first: str) -> tuple[_Labels, str]:
    """The labels from beside the file T, else from indices.zip, and where they were."""
    root = first[: -len(_base(first))]
    wanted = [f"labels_{part}.txt" for part in PARTS]
    if any(root + name in files.names for name in wanted):
        source, names = files, [files.require(root + name) for name in wanted]
    else:
        source, names = _indices(files, root), []
        for name in wanted:
            same = [n for n in source.names if _base(n) == name]
            if len(same) != 1:
                raise DataError(f"{source.path} holds {len(same)} files {name}; one was expected.")
            names += same
    T, FD, VA = (_words(source, name, k) for name, k in zip(names, (4, 4, 2), strict=True))
    where = [source.where(name) for name in names]
    return _arrange(T, FD, VA, where), source.path.name


def _indices(files: Files, root: str) -> Files:
    """The archive of labels beside a zip, or in a folder."""
    folder = files.path / root if files.is_folder else files.path.absolute().parent
    packed = folder / INDICES
    if packed.is_symlink():
        raise DataError(f"{packed} is a link; refused.")
    if not packed.exists():
        raise DataError(
            f"{files.path} holds no {root}labels_T.txt, and there is no {packed}: the matrices have "
            "no labels of their own; put the source's labels beside them."
        )
    return Files(packed)


def _words(files: Files, name: str, count: int) -> list[tuple[str, ...]]:
    """The rows of a file of labels, each of `count` words and a blank cell that does not count."""
    rows = []
    for k, row in enumerate(words_of(files, name, TAB), 1):
        words = row[:-1] if len(row) == count + 1 and not row[-1] else row
        # The one line of ROW may leave a field blank.
        named = all(words) or (bool(words) and words[0] == "ROW" and bool(words[-1]))
        if len(words) != count or not named:
            raise DataError(
                f"{files.where(name)} row {k}: {count} labels were expected, not {some(row)}."
            )
        rows.append(tuple(words))
    if not rows:
        raise DataError(f"{files.where(name)}: no labels.")
    return rows


def _arrange(
    T: list[tuple[str, ...]],
    FD: list[tuple[str, ...]],
    VA: list[tuple[str, ...]],
    where: list[str],
) -> _Labels:
    """The labels, all countries alike in both files and in one order."""
    node = np.array([ROW not in label[:2] for label in T])
    final = np.array([ROW not in label[:2] for label in FD])
    if np.count_nonzero(~node) != 1:
        raise DataError(
            f"{where[0]}: {np.count_nonzero(~node)} rows of {ROW}, the statistical discrepancy; one "
            "was expected."
        )
    if len(T) > MAX_NODES + 1:
        raise DataError(f"{where[0]}: {len(T):,} labels; more than {MAX_NODES:,} are refused.")
    if not (node.any() and final.any()):
        raise DataError(f"{where[0 if not node.any() else 1]}: no country.")
    names: dict[str, str] = {}
    for name, code, *_ in T:
        if names.setdefault(code, name) != name:
            raise DataError(f"{where[0]}: {code} is {names[code]!r} and {name!r}.")
    regions = tuple(dict.fromkeys(x[1] for x, ours in zip(T, node, strict=True) if ours))
    sectors = _alike(T, node, regions, where[0])
    finals = _alike(FD, final, regions, where[1])
    require_unique(where[2], [" / ".join(label) for label in VA], DataError)
    return _Labels(
        regions,
        tuple(names[r] for r in regions),
        sectors,
        finals,
        tuple((group, item) for group, item in VA),
        int(np.flatnonzero(~node)[0]),
        node,
        final,
    )


def _alike(
    labels: list[tuple[str, ...]],
    ours: NDArray[np.bool_],
    regions: tuple[str, ...],
    where: str,
) -> tuple[str, ...]:
    """The last words of the first region's labels, which every region must have in that order."""
    rows = np.flatnonzero(ours)
    pairs = [(labels[i][1], labels[i][3]) for i in rows]
    require_unique(where, [" / ".join(pair) for pair in pairs], DataError)
    inner = tuple(word for region, word in pairs if region == regions[0])
    for i, pair, want in zip(rows, pairs, product(regions, inner), strict=False):
        if pair != want:
            raise DataError(
                f"{where} row {i + 1}: {' / '.join(pair)!r} stands where {' / '.join(want)!r} was "
                "expected, as all regions are alike and in one order."
            )
    if len(pairs) != len(regions) * len(inner):
        raise DataError(
            f"{where}: {len(pairs):,} labels of {len(regions)} regions with {len(inner)} each. Cut "
            "short?"
        )
    return inner
