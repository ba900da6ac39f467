"""Turning the names a scenario uses into positions on a world's axes."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from entrepot.catalogues import economies, groups
from entrepot.catalogues.isic import SECTIONS
from entrepot.core.errors import ScenarioError
from entrepot.core.labels import did_you_mean, some
from entrepot.equilibrium.calibrate import user_groups
from entrepot.equilibrium.economy import Sourcing
from entrepot.world.groups import GroupUse, group_use
from entrepot.world.world import World

SECTOR_GROUPS = {
    "goods": (1, 33),
    "services": (35, 98),
    "agriculture-forestry-fishing": (1, 3),
    "mining-quarrying": (5, 9),
    "manufacturing": (10, 33),
}
ISIC = re.compile(r"^(?:isic:)?([A-U]?)(\d{0,2})(?:\s*-\s*([A-U]?)(\d{0,2}))?$")


def regions(
    world: World, names: Sequence[str], where: str
) -> tuple[list[int], dict[str, GroupUse]]:
    """Positions of economies, in the world's order, and the groups used.

    A name is a code, a group, `all`, a parent region, or any of these after
    `!`, which takes it out. Raises ScenarioError with a did-you-mean.
    """
    chosen: set[int] = set()
    out: set[int] = set()
    used: dict[str, GroupUse] = {}
    for name in names:
        bare = name.removeprefix("!").strip()
        (out if name.startswith("!") else chosen).update(_one_region(world, bare, where, used))
    if not any(not n.startswith("!") for n in names):
        chosen = set(range(len(world.regions)))
    picked = sorted(chosen - out)
    if not picked:
        raise ScenarioError(f"{where}: {some(list(names))} leaves no economy.")
    return picked, used


def _one_region(world: World, name: str, where: str, used: dict[str, GroupUse]) -> Sequence[int]:
    if name == "all":
        return range(len(world.regions))
    if here := world.part_of(name):
        return here
    catalogue = groups()
    if name in catalogue:
        use = group_use(world, name)
        if not use.present:
            raise ScenarioError(
                f"{where}: no member of {use.label} is separate in {world.name}; "
                f"its {len(use.absent)} members lie elsewhere or are absent."
            )
        used[name] = use
        return [i for code in use.present for i in world.part_of(code)]
    if name in economies():
        label = economies()[name]["name"]
        raise ScenarioError(f"{where}: {name} ({label}) is not a separate economy in {world.name}.")
    hint = did_you_mean(name, [*world.regions, *catalogue, "all"])
    begins = [c for c, n in world.region_names.items() if n.casefold().startswith(name.casefold())]
    if len(name) > 3 and len(begins) == 1:
        hint = f"; write its code, {begins[0]}."
    by_name = {n.casefold(): c for c, n in world.region_names.items()}
    if name.casefold() in by_name:
        hint = f"; write its code, {by_name[name.casefold()]}."
    raise ScenarioError(
        f"{where}: no economy or group {name!r}{hint or '.'} "
        f"`entrepot world show {world.name}` lists them."
    )


def sectors(world: World, names: Sequence[str], where: str) -> list[int]:
    """Positions of sectors: codes, slugs, groups (`goods`, `services`, ...), ISIC ranges, `all`.

    A range such as `C10-C33`, `10-33`, `A01-D` or a section letter must cover
    sectors whole; one that cuts through a sector is an error that names it.
    """
    chosen: set[int] = set()
    out: set[int] = set()
    for name in names:
        bare = name.removeprefix("!").strip()
        (out if name.startswith("!") else chosen).update(_one_sector(world, bare, where))
    if not any(not n.startswith("!") for n in names):
        chosen = set(range(len(world.sectors)))
    picked = sorted(chosen - out)
    if not picked:
        raise ScenarioError(f"{where}: {some(list(names))} leaves no sector.")
    return picked


def _one_sector(world: World, name: str, where: str) -> Sequence[int]:
    if name == "all":
        return range(len(world.sectors))
    codes = world.sector_codes
    if name in codes:
        return [codes.index(name)]
    slugs = [s.slug for s in world.sectors]
    if name in slugs:
        return [slugs.index(name)]
    if name in SECTOR_GROUPS:
        return _covered(world, *SECTOR_GROUPS[name], name, where)
    if (match := ISIC.match(name)) and name:
        bounds = _bounds(*match.groups())
        if bounds:
            return _covered(world, *bounds, name, where)
    hint = did_you_mean(name, [*codes, *slugs, *SECTOR_GROUPS, "all"])
    raise ScenarioError(
        f"{where}: no sector {name!r} in {world.name}{hint or '.'} "
        f"`entrepot world show {world.name}` lists them."
    )


def _bounds(
    letter: str, number: str, last_letter: str | None, last_number: str | None
) -> tuple[int, int] | None:
    if not letter and not number:
        return None
    for section, division in ((letter, number), (last_letter, last_number)):
        if section and division:
            first, last = SECTIONS[section]
            if not first <= int(division) <= last:
                return None  # a division of another section: a typo
    low = int(number) if number else SECTIONS[letter][0]
    if last_letter is None and last_number is None:
        return low, low if number else SECTIONS[letter][1]
    if last_number:
        return low, int(last_number)
    return (low, SECTIONS[last_letter][1]) if last_letter else None


def _covered(world: World, low: int, high: int, name: str, where: str) -> list[int]:
    inside, cut = [], []
    for i, sector in enumerate(world.sectors):
        hit = [low <= d <= high for d in sector.isic]
        if hit and all(hit):
            inside.append(i)
        elif any(hit):
            cut.append(f"{sector.code} ({sector.name})")
    if cut:
        raise ScenarioError(
            f"{where}: {name!r} cuts through {some(cut)}; name whole sectors of {world.name}."
        )
    if not inside:
        raise ScenarioError(
            f"{where}: {name!r} covers no sector of {world.name}"
            + (
                "."
                if any(s.isic for s in world.sectors)
                else ", whose sectors carry no ISIC divisions."
            )
        )
    return inside


def users(
    world: World, names: Sequence[str] | None, sourcing: Sourcing, where: str
) -> NDArray[np.bool_]:
    """Which user groups of a way of sourcing are named (u,): all when None.

    `intermediate` and `final`; by user also sectors (as in `sectors`) and
    final-use categories. Raises ScenarioError, with a did-you-mean, also where
    users do not source apart.
    """
    groups, final = user_groups(world, sourcing)
    if len(groups) == 1:
        raise ScenarioError(
            f"{where}: users must source apart to be named: use `assumptions: sourcing: by_use` or "
            "`by_user` (--sourcing)."
        )
    chosen = np.zeros(len(groups), bool)
    for name in ("intermediate", "final") if names is None else names:
        if name == "intermediate":
            chosen[: final[0]] = True
        elif name == "final":
            chosen[final[0] :] = True
        elif sourcing == "by_use":
            raise ScenarioError(
                f"{where}: by use there are `intermediate` and `final`, no {name!r}; "
                "use `sourcing: by_user` for single users."
            )
        elif name in world.final_categories:
            chosen[final[0] + world.final_categories.index(name)] = True
        else:
            chosen[sectors(world, [name], where)] = True
    return chosen
