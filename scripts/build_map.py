"""Build the world map of the report, and the points of ``economies.csv``.

The geometry is Natural Earth 4.1.0 (public domain) as redistributed by the npm package
``world-atlas`` 2.0.2 (ISC licence). Boundaries and names are as in that source; no position
is taken.

    python scripts/build_map.py                         # `npm pack` into a temporary folder
    python scripts/build_map.py world-atlas-2.0.2.tgz   # or a tarball already at hand
    python scripts/build_map.py --check ...             # exit 1 if the files would change

Writes ``src/entrepot/report/data/world-map.json`` (TopoJSON, object ``countries``, feature id
= ISO alpha-3) from the 1:50m layer, simplified, and refreshes the columns ``lon`` and ``lat`` of
``src/entrepot/catalogues/data/economies.csv`` from the 1:10m layer. Same input, same bytes.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import heapq
import io
import itertools
import json
import math
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

PACKAGE = "world-atlas@2.0.2"
SHA256 = "032e7765f2ce00edaeafec23ff22bc3b77e42987c257da944cc585b452c05b97"

ROOT = Path(__file__).resolve().parents[1]
MAP = ROOT / "src/entrepot/report/data/world-map.json"
ECONOMIES = ROOT / "src/entrepot/catalogues/data/economies.csv"

DROPPED = {"010"}  # Antarctica
SIMPLIFY = 0.02  # smallest triangle kept, square degrees on the equator
SHAPE = 0.02  # ... but never more than this share of the ring it belongs to
ISLAND = 0.04  # islands below this many square degrees go, unless they are the largest part
GRID = (36000, 18000)  # 0.01 degree
MAX_BYTES = 250_000

Point = tuple[float, float]
Topology = dict[str, Any]


def main(argv: list[str] | None = None) -> int:
    """Write both files, or with ``--check`` say whether they are up to date."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tarball", nargs="?", type=Path, help="world-atlas-2.0.2.tgz")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 on a difference"
    )
    args = parser.parse_args(argv)

    medium, fine = read_package(args.tarball)
    rows = list(csv.DictReader(io.StringIO(ECONOMIES.read_text(encoding="utf-8"))))
    alpha3 = {row["numeric"]: row["code"] for row in rows}
    outputs = {MAP: world_map(medium, alpha3), ECONOMIES: with_points(rows, fine)}

    stale = [
        path for path, data in outputs.items() if not path.exists() or path.read_bytes() != data
    ]
    if args.check:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is not what this script makes", file=sys.stderr)
        return 1 if stale else 0
    for path, data in outputs.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        print(f"{path.relative_to(ROOT)}: {len(data):,} bytes")
    return 0


def read_package(tarball: Path | None) -> tuple[Topology, Topology]:
    """The 1:50m and 1:10m country layers of the pinned package, after checking its sha256."""
    if tarball is None:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(
                ["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True, capture_output=True
            )
            return read_package(next(Path(folder).glob("*.tgz")))
    data = tarball.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256:
        raise SystemExit(f"{tarball}: sha256 is {found}, expected {SHA256} ({PACKAGE})")
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        layers = [tar.extractfile(f"package/countries-{scale}.json") for scale in ("50m", "10m")]
        medium, fine = (json.load(layer) for layer in layers if layer is not None)
    return medium, fine


# --- the map -------------------------------------------------------------------------------


def world_map(topology: Topology, alpha3: dict[str, str]) -> bytes:
    """A small TopoJSON of all countries but Antarctica, ids ISO alpha-3.

    Shapes without an ISO number in the source keep their place as land without an id. Names are
    left out: they belong to ``economies.csv``.
    """
    arcs = decode(topology)
    features = [
        g for g in topology["objects"]["countries"]["geometries"] if g.get("id") not in DROPPED
    ]
    polygons = [keep_polygons(polygons_of(feature), arcs) for feature in features]
    budget = arc_budget(polygons, arcs)

    order: dict[int, int] = {}
    geometries = []
    for feature, parts in zip(features, polygons, strict=True):
        shape = [[[renumber(arc, order) for arc in ring] for ring in rings] for rings in parts]
        geometry: dict[str, Any] = {"type": "MultiPolygon", "arcs": shape}
        if "id" in feature:
            geometry["id"] = alpha3[feature["id"]]
        geometries.append(geometry)
    geometries.sort(key=lambda g: g.get("id", "~"))

    scale = [360 / GRID[0], 180 / GRID[1]]
    small = {
        "type": "Topology",
        "transform": {"scale": scale, "translate": [-180, -90]},
        "objects": {
            "countries": {"type": "GeometryCollection", "geometries": merge_same_id(geometries)}
        },
        "arcs": [encode(simplify(arcs[old], budget[old])) for old in order],
    }
    data = json.dumps(small, ensure_ascii=False, separators=(",", ":")).encode()
    if len(data) > MAX_BYTES:
        raise SystemExit(
            f"the map has {len(data):,} bytes, more than {MAX_BYTES:,}: raise SIMPLIFY"
        )
    return data


def merge_same_id(geometries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join features that share an ISO code (the source has two for AUS)."""
    merged: dict[str, dict[str, Any]] = {}
    for number, geometry in enumerate(geometries):
        known = merged.setdefault(geometry.get("id", f"~{number}"), geometry)
        if known is not geometry:
            known["arcs"] += geometry["arcs"]
    return list(merged.values())


def decode(topology: Topology) -> list[list[Point]]:
    """The arcs in degrees; longitudes run on across the antimeridian instead of jumping."""
    (kx, ky), (dx, dy) = topology["transform"]["scale"], topology["transform"]["translate"]
    arcs = []
    for deltas in topology["arcs"]:
        x = y = 0
        arc = []
        for step in deltas:
            x, y = x + step[0], y + step[1]
            arc.append((x * kx + dx, y * ky + dy))
        arcs.append(unwrap(arc))
    return arcs


def unwrap(line: list[Point]) -> list[Point]:
    """Add whole turns so that no step is longer than half the globe."""
    out = [line[0]]
    for x, y in line[1:]:
        out.append((x - 360 * round((x - out[-1][0]) / 360), y))
    return out


def encode(arc: list[Point]) -> list[list[int]]:
    """Delta-encode on the output grid, longitudes back in [-180, 180]."""
    cells: list[list[int]] = []
    for x, y in arc:
        x -= 360 * math.floor((x + 180) / 360) if not -180 <= x <= 180 else 0
        cell = [round((x + 180) / 360 * GRID[0]), round((y + 90) / 180 * GRID[1])]
        if not cells or cell != cells[-1]:
            cells.append(cell)
    if len(cells) == 1:
        cells.append(cells[0])
    steps = [cells[0]]
    steps += [[b[0] - a[0], b[1] - a[1]] for a, b in itertools.pairwise(cells)]
    return steps


def polygons_of(feature: dict[str, Any]) -> list[list[list[int]]]:
    """Polygons of a feature as rings of arc numbers."""
    return [feature["arcs"]] if feature["type"] == "Polygon" else feature["arcs"]


def ring_points(ring: list[int], arcs: list[list[Point]]) -> list[Point]:
    """The closed ring of some arcs; ~n is arc n backwards."""
    line: list[Point] = []
    for number in ring:
        arc = arcs[number] if number >= 0 else arcs[~number][::-1]
        line.extend(arc[1:] if line else arc)
    return unwrap(line)


def area(line: list[Point]) -> float:
    """Area of a ring in square degrees of the equator, longitudes shrunk by the cosine."""
    middle = math.cos(math.radians(sum(y for _, y in line) / len(line)))
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in itertools.pairwise(line))) / 2 * middle


def keep_polygons(
    polygons: list[list[list[int]]], arcs: list[list[Point]]
) -> list[list[list[int]]]:
    """The polygons worth drawing: the largest one, and all above ISLAND; lakes likewise."""
    sized = [(area(ring_points(rings[0], arcs)), rings) for rings in polygons]
    largest = max(size for size, _ in sized)
    kept = []
    for size, rings in sized:
        if size >= min(ISLAND, largest):
            holes = [hole for hole in rings[1:] if area(ring_points(hole, arcs)) >= 0.001]
            kept.append([rings[0], *holes])
    return kept


def arc_budget(polygons: list[list[list[list[int]]]], arcs: list[list[Point]]) -> dict[int, float]:
    """Per arc, the smallest triangle to keep: SIMPLIFY, less where a small ring needs its shape."""
    budget: dict[int, float] = {}
    for parts in polygons:
        for rings in parts:
            for ring in rings:
                limit = min(SIMPLIFY, SHAPE * area(ring_points(ring, arcs)))
                for number in ring:
                    arc = number if number >= 0 else ~number
                    budget[arc] = min(limit, budget.get(arc, limit))
    return budget


def renumber(arc: int, order: dict[int, int]) -> int:
    """New number of an arc, in order of first use, keeping its direction."""
    old = arc if arc >= 0 else ~arc
    new = order.setdefault(old, len(order))
    return new if arc >= 0 else ~new


def simplify(arc: list[Point], smallest: float) -> list[Point]:
    """Visvalingam & Whyatt (1993): drop the point with the smallest triangle, again and again.

    The ends stay; a closed arc keeps at least three corners.
    """
    fewest = 4 if arc[0] == arc[-1] else 2
    before = list(range(-1, len(arc) - 1))
    after = list(range(1, len(arc) + 1))
    weight = [math.inf] * len(arc)

    def triangle(i: int) -> float:
        (ax, ay), (bx, by), (cx, cy) = arc[before[i]], arc[i], arc[after[i]]
        return abs((bx - ax) * (cy - ay) - (cx - ax) * (by - ay)) / 2 * math.cos(math.radians(by))

    heap: list[tuple[float, int]] = []
    for i in range(1, len(arc) - 1):
        weight[i] = triangle(i)
        heapq.heappush(heap, (weight[i], i))
    left, floor = len(arc), 0.0
    while heap and left > fewest:
        size, i = heapq.heappop(heap)
        if size != weight[i]:
            continue
        floor = max(floor, size)
        if floor >= smallest:
            break
        weight[i] = -1.0
        left -= 1
        after[before[i]], before[after[i]] = after[i], before[i]
        for j in (before[i], after[i]):
            if 0 < j < len(arc) - 1:
                weight[j] = max(floor, triangle(j))
                heapq.heappush(heap, (weight[j], j))
    return [point for point, size in zip(arc, weight, strict=True) if size >= 0]


# --- the points ----------------------------------------------------------------------------


def with_points(rows: list[dict[str, str]], topology: Topology) -> bytes:
    """``economies.csv`` with ``lon`` and ``lat`` of each economy that the source draws."""
    arcs = decode(topology)
    polygons: dict[str, list[list[list[int]]]] = {}
    for feature in topology["objects"]["countries"]["geometries"]:
        if "id" in feature:
            polygons.setdefault(feature["id"], []).extend(polygons_of(feature))
    for row in rows:
        row["lon"] = row["lat"] = ""
        if row["numeric"] in polygons:
            rings = [
                [ring_points(ring, arcs) for ring in part] for part in polygons[row["numeric"]]
            ]
            x, y = inner_point(max(rings, key=lambda part: area(part[0])))
            x -= 360 * math.floor((x + 180) / 360)
            row["lon"], row["lat"] = f"{x:.2f}", f"{y:.2f}"
    text = io.StringIO()
    writer = csv.DictWriter(
        text, ["code", "name", "numeric", "lon", "lat", "alpha2"], lineterminator="\n"
    )
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def inner_point(rings: list[list[Point]]) -> Point:
    """The centroid of a polygon if it lies inside, else the middle of its widest chord there."""
    outer = rings[0]
    x0, y0 = outer[0]
    cross = [
        ((a[0] - x0) * (b[1] - y0) - (b[0] - x0) * (a[1] - y0), a, b)
        for a, b in itertools.pairwise(outer)
    ]
    twice = sum(c for c, _, _ in cross)
    if not twice:  # collapsed to a line on the grid of the source (VAT)
        return sum(px for px, _ in outer[1:]) / len(outer[1:]), sum(
            py for _, py in outer[1:]
        ) / len(outer[1:])
    x = x0 + sum(c * (a[0] + b[0] - 2 * x0) for c, a, b in cross) / (3 * twice)
    y = y0 + sum(c * (a[1] + b[1] - 2 * y0) for c, a, b in cross) / (3 * twice)
    cuts = sorted(
        a[0] + (y - a[1]) / (b[1] - a[1]) * (b[0] - a[0])
        for ring in rings
        for a, b in itertools.pairwise(ring)
        if (a[1] > y) != (b[1] > y)
    )
    chords = list(zip(cuts[::2], cuts[1::2], strict=True))
    if any(left < x < right for left, right in chords):
        return x, y
    left, right = max(chords, key=lambda chord: chord[1] - chord[0])
    return (left + right) / 2, y


if __name__ == "__main__":
    raise SystemExit(main())
