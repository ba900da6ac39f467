"""The worlds at hand: two embedded, one built on request, and any world file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from entrepot.core.errors import DataError, OutputError
from entrepot.core.labels import did_you_mean
from entrepot.sources.packages import cache_folder
from entrepot.world.store import read_world, write_world
from entrepot.world.world import World


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
    """A World by name (`world-2022`, `world-2019-g20`, `oecd-2022-full`) or from a world file.

    Raises DataError for an unknown name, a file that is no world, or a world
    that has not been got yet.
    """
    if str(name) in SHELF:
        row = SHELF[str(name)]
        if row.embedded:
            with as_file(files("entrepot.world") / "data" / f"{row.name}.npz") as path:
                return read_world(path)
        path = got_path(row.name)
        if not path.exists():
            raise DataError(
                f"{row.name} is not here yet; `entrepot world get {row.name}` builds it."
            )
        return read_world(path)
    path = Path(name)
    try:
        there = path.exists()
    except (OSError, ValueError):  # a name that no file can have
        there = False
    if not there:
        hint = did_you_mean(str(name), SHELF)
        raise DataError(
            f"{name}: neither a world nor a file{hint or '.'} `entrepot world list` shows the worlds."
        )
    return read_world(path)


def got_path(name: str) -> Path:
    """Where a world built on request is kept."""
    return cache_folder() / "worlds" / f"{name}.npz"


def get_world(name: str) -> Path:
    """Build a world that is not embedded and keep it in the cache; returns its path."""
    from entrepot.world.oecd import build_full

    builders: dict[str, Callable[[], World]] = {"oecd-2022-full": build_full}
    if name not in builders:
        if name in SHELF:
            raise DataError(f"{name} is embedded; there is nothing to get.")
        hint = did_you_mean(name, builders)
        raise DataError(
            f"there is no world {name!r} to get{hint or '.'} Known: {', '.join(builders)}."
        )
    path = got_path(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{path.parent}: cannot be made ({error.strerror}); set ENTREPOT_CACHE to a folder."
        ) from None
    write_world(path, builders[name]())
    return path
