"""The worlds at hand: two embedded, one built on request, and any world file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path

from entrepot.catalogues.addresses import addresses
from entrepot.core.errors import DataError, OutputError, WorldError
from entrepot.core.labels import did_you_mean
from entrepot.sources.archive import is_zip, members
from entrepot.sources.download import Progress
from entrepot.sources.packages import cache_folder
from entrepot.world.store import read_world, write_world
from entrepot.world.world import World
from entrepot.world.zarr import holds_only_a_world, is_zarr, read_zarr, write_zarr


@dataclass(frozen=True, slots=True)
class Shelved:
    """One named world: what it is, and whether it is embedded or must be got first."""

    name: str
    summary: str
    embedded: bool


SHELF = {
    row.name: row
    for row in (
        Shelved(
            "world-2022",
            "80 economies x 29 sectors, 2022; OECD ICIO 2025 release; final use by destination estimated",
            True,
        ),
        Shelved(
            "world-2019-g20",
            "19 economies and the rest of the world x 20 sections, 2019; OECD ICIO 2023 edition",
            True,
        ),
        Shelved(
            "oecd-2022-full",
            "80 economies x 50 activities, 2022; as world-2022, built by `entrepot world get`",
            False,
        ),
    )
}


def load_world(name: str | Path) -> World:
    """A World by name or from a file or folder.

    A name is a world of the shelf (`world-2022`, `world-2019-g20`,
    `oecd-2022-full`) or a dataset and year that `world get` has built
    (`oecd-icio-2025-2019`). A path is a stored world (`.npz`, `.zarr`), or a
    table in any format that is read here and passes its audit as it is.

    Raises DataError for an unknown name, a file that is no table, or a world
    that has not been got yet; WorldError for a table that needs repairs chosen,
    or a currency's rate.
    """
    known = str(name)
    if known in SHELF:
        row = SHELF[known]
        if row.embedded:
            with as_file(files("entrepot.world") / "data" / f"{row.name}.npz") as path:
                return read_world(path)
        path = got_path(row.name)
        if not path.exists():
            raise DataError(
                f"{row.name} is not here yet; `entrepot world get {row.name}` builds it."
            )
        return read_world(path)
    if (dataset := _dataset(known)) is not None:
        path = built_path(known)
        if not path.exists():
            year = known.removeprefix(dataset + "-")
            raise DataError(
                f"{known} is not here yet; `entrepot world get {dataset} --year {year}` gets it."
            )
        return read_zarr(path)
    path = Path(name)
    try:
        there = path.exists()
    except (OSError, ValueError):  # a name that no file can have
        there = False
    if not there:
        hint = did_you_mean(known, [*SHELF, *addresses()])
        raise DataError(
            f"{name}: neither a world nor a file{hint or '.'} `entrepot world list` shows the worlds."
        )
    if path.is_dir() and is_zarr(path):
        return read_zarr(path)
    if path.suffix == ".npz" or _holds_arrays(path):
        return read_world(path)
    if path.is_file() and path.suffix.lower() not in TABLES:
        return read_world(path)  # says what is wrong with it
    from entrepot.sources.formats import read_table
    from entrepot.world.build import build

    return build(read_table(path))


OTHER_FILES = (
    ".csv",
    ".parquet",
    ".xlsx",
    ".xlsb",
    ".zip",
    ".gz",
    ".json",
    ".txt",
    ".nc",
    ".h5",
    ".docx",
)
TABLES = (".csv", ".gz", ".zip", ".xlsx", ".xlsb", ".dta", ".har", ".txt", ".parquet")


def _holds_arrays(path: Path) -> bool:
    """Whether a file is a stored World, by its members."""
    try:
        return path.is_file() and is_zip(path) and {"world.json", "Z.npy"} <= set(members(path))
    except DataError:
        return False


def _dataset(name: str) -> str | None:
    """The dataset of a name DATASET-YEAR; None for any other name."""
    head, _, year = name.rpartition("-")
    return head if head in addresses() and year.isdigit() and len(year) == 4 else None


def require_target(path: Path) -> None:
    """Raise OutputError unless a world can be written at a path; ask before computing one."""
    if path.suffix.lower() in OTHER_FILES:
        raise OutputError(
            f"{path}: a world is written as NAME.zarr, NAME.npz, or a plain folder without suffix."
        )
    if path.is_symlink():
        raise OutputError(f"{path} is a link; name what it leads to.")
    stored = (path.suffix == ".npz" and _holds_arrays(path)) or (
        path.suffix == ".zarr" and holds_only_a_world(path)
    )
    if path.exists() and not stored:
        raise OutputError(
            f"{path} exists and is no stored world, or holds other files too; it is not overwritten."
        )


def save_world(world: World, path: Path | str, *, csv: bool = False) -> None:
    """Write a World: `NAME.zarr` (fast, mapped), `NAME.npz` (compact), or a plain folder.

    The plain folder holds Parquet, or CSV on request. A stored world of the
    same kind is replaced; nothing else is overwritten.

    Raises OutputError when the path is taken or cannot be written.
    """
    path = Path(path)
    require_target(path)
    if path.suffix == ".npz":
        _make(path.parent)
        write_world(path, world)
    elif path.suffix == ".zarr":
        write_zarr(path, world)
    else:
        from entrepot.sources.plain import write
        from entrepot.world.audit import raw_of

        write(path, raw_of(world), parquet=not csv)


def is_stored(name: str) -> bool:
    """Whether a name or path means a world as stored here, not a table still to be judged."""
    if name in SHELF or _dataset(name) is not None:
        return True
    path = Path(name)
    return (path.is_dir() and is_zarr(path)) or (
        path.is_file() and (path.suffix == ".npz" or _holds_arrays(path))
    )


def got_path(name: str) -> Path:
    """Where a world built on request is kept."""
    return cache_folder() / "worlds" / f"{name}.npz"


def built_path(name: str) -> Path:
    """Where a world built from a downloaded table is kept."""
    return cache_folder() / "worlds" / f"{name}.zarr"


@dataclass(frozen=True, slots=True)
class Got:
    """What `get_world` left in the cache: a built world, or a table that waits for choices."""

    name: str
    path: Path
    built: bool
    message: str = ""


def get_world(
    name: str,
    year: int | None = None,
    *,
    repairs: Sequence[str] = (),
    rate: float | None = None,
    rate_source: str = "",
    atol: float | None = None,
    progress: Progress | None = None,
) -> Got:
    """Get a world that is not embedded and keep it in the cache.

    `name` is `oecd-2022-full` (built from a pinned package) or a dataset of the
    catalogue of addresses, whose file is downloaded from its official address,
    checked, read and built. A table that cannot be built without a choice (a
    currency's rate, a repair) stays in the cache as downloaded, and the message
    says so.

    Raises DataError for an unknown name or year, and when a download fails.
    """
    if name in SHELF and SHELF[name].embedded:
        raise DataError(f"{name} is embedded; there is nothing to get.")
    if name in SHELF:
        from entrepot.world.oecd import build_full

        path = got_path(name)
        _make(path.parent)
        write_world(path, build_full())
        return Got(name, path, True)
    if name not in addresses():
        known = [n for n, row in SHELF.items() if not row.embedded] + list(addresses())
        hint = did_you_mean(name, known)
        raise DataError(
            f"there is no world {name!r} to get{hint or '.'} Known: {', '.join(known)}."
        )
    from entrepot.sources.download import download
    from entrepot.sources.formats import Options, read_table
    from entrepot.world.build import build, require_known

    require_known(repairs)
    address = addresses()[name]
    file = address.file_for(year)
    if year is None and len(file.years) == 1:
        year = file.years[0]
    if year is None:
        raise DataError(f"{name} holds {file.years[0]} to {file.years[-1]}; say which with --year.")
    folder = cache_folder() / "downloads"
    _make(folder)
    fetched = download(file, folder, progress=progress)
    raw = read_table(fetched, address.reader, Options(year=year, member=file.member_for(year)))
    raw = replace(raw, provenance={**raw.provenance, "address": file.url})
    try:
        world = build(
            raw, repairs, rate=rate, rate_source=rate_source, atol=atol, name=f"{name}-{year}"
        )
    except WorldError as error:
        return Got(name, fetched, False, str(error))
    path = built_path(f"{name}-{year}")
    _make(path.parent)
    write_zarr(path, world)
    return Got(world.name, path, True)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be made ({error.strerror}); for the cache, set ENTREPOT_CACHE to a folder."
        ) from None
