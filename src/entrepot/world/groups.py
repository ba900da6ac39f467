"""Catalogue groups as resolved in one world: who of a dated list is here and who is not."""

from __future__ import annotations

from dataclasses import dataclass

from entrepot.catalogues import groups
from entrepot.world.world import World


@dataclass(frozen=True, slots=True)
class GroupUse:
    """A group as resolved in one world: who of it is here and who is not."""

    name: str
    label: str
    as_of: str
    source: str
    present: tuple[str, ...]
    absent: tuple[str, ...]


def group_use(world: World, name: str) -> GroupUse:
    """Present and absent members of a catalogue group in a world; one split into parts is present."""
    row = groups()[name]
    members = row["members"]
    return GroupUse(
        name=name,
        label=row["label"],
        as_of=str(row["as_of"]),
        source=row["source"],
        present=tuple(m for m in members if world.part_of(m)),
        absent=tuple(m for m in members if not world.part_of(m)),
    )
