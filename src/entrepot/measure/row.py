"""What a measure is: one row of the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from entrepot.core.tables import Array
from entrepot.measure.accounts import Accounts

SATELLITE_UNIT = "unit of the satellite"
"""In a row's unit, stands for that of the satellite its argument names."""
FAMILIES = {
    "trade": "Trade and openness",
    "advantage": "Advantage and complexity",
    "chains": "Value chains",
    "position": "Position in chains",
    "content": "Content of demand and trade",
    "circuits": "Home and external circuit",
    "dependence": "Dependence",
}


@dataclass(frozen=True, slots=True)
class Measure:
    """A number read off a World: what the documents, the commands and the reports say of it.

    - `name`, `title`; `family`, one of `FAMILIES`;
    - `unit`: `million USD`, `share`, `index`, `stages`, ...;
    - `dims`: the axes of its values. `region` is always the economy asked
      about, `sector` its industry (or the product's), `partner` the other
      economy, `product` the sector of what is bought or sold, `term` a part;
    - `source`: paper and equation; `meaning`: one paragraph for a reader;
    - `function(accounts)`, or `function(accounts, argument)` where `takes`
      names an argument; values in the shape of `dims`, NaN where absent;
    - `absent`: why a cell may be absent, a clause after "absent where";
    - `needs`: a satellite the world must carry;
    - `additive`: amounts that may be summed over its axes;
    - `terms`: labels of the `term` axis.
    """

    name: str
    title: str
    family: str
    unit: str
    dims: tuple[str, ...]
    source: str
    meaning: str
    function: Callable[..., Array]
    absent: str = ""
    takes: str = ""
    default: str = ""
    needs: str = ""
    additive: bool = False
    terms: tuple[str, ...] = ()

    def about(self) -> dict[str, Any]:
        """What the row says, without the function, as plain data."""
        return {
            "name": self.name,
            "title": self.title,
            "family": FAMILIES[self.family],
            "unit": self.unit,
            "dims": list(self.dims),
            "source": self.source,
            "meaning": self.meaning,
            "absent": self.absent,
            "takes": self.takes,
            "default": self.default,
            "needs": self.needs,
            "additive": self.additive,
            "terms": list(self.terms),
        }

    def values(self, accounts: Accounts, argument: str = "") -> Array:
        """The values for a world's accounts."""
        return self.function(accounts, argument) if self.takes else self.function(accounts)
