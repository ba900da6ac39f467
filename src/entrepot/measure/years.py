"""Measures through time: any measure over a stack of years, and what its change is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from entrepot.core.errors import MeasureError
from entrepot.measure.accounts import Level, Together
from entrepot.measure.measurement import Measurement, take
from entrepot.measure.structural import log_change
from entrepot.world.series import Series

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


@dataclass(frozen=True, eq=False)
class Years:
    """The same measures taken year by year."""

    by_year: Mapping[int, Measurement]

    @property
    def years(self) -> tuple[int, ...]:
        """The years, in order."""
        return tuple(self.by_year)

    def __getitem__(self, name: str) -> xr.DataArray:
        import xarray as xr

        arrays = [found[name] for found in self.by_year.values()]
        joined = xr.concat(arrays, "year", combine_attrs="drop_conflicts")
        return joined.assign_coords(year=list(self.years))

    def tidy(self) -> pd.DataFrame:
        """One row a year and cell."""
        import pandas as pd

        frames = []
        for year, found in self.by_year.items():
            frame = found.tidy()
            frame.insert(0, "year", year)
            frames.append(frame)
        return pd.concat(frames, ignore_index=True)

    def change(
        self, name: str, before: int | None = None, after: int | None = None
    ) -> xr.DataArray:
        """What each cell adds to the log change of its region's total, between two years.

        First and last year where absent. Exact: over all axes but `region` the parts sum to
        the log change of the region's total (`log_change`); NaN where a total is not
        positive. Raises MeasureError for a measure that is not additive, and for years
        that are not there.
        """
        first, last = self._between(before, after)
        measure = next(
            (m for item in self.by_year[first].items for m in (item.measure,)
             if name in (item.name, m.name)), None
        )  # fmt: skip
        values = self[name]
        if measure is not None and not measure.additive:
            raise MeasureError(
                f"{name} is not an amount that adds up; its change has no parts. Measures that do: "
                "`entrepot measure list --json`, key additive."
            )
        old, new = values.sel(year=first), values.sel(year=last)
        out = np.full(old.shape, np.nan)
        for i in np.ndindex(old.shape[:1]):
            x0, x1 = old.values[i], new.values[i]
            if x0.sum() > 0 and x1.sum() > 0:
                out[i] = log_change(x0, x1)
        about: dict[str, Any] = {"unit": "log change", "from": first, "to": last}
        found = old.drop_vars("year").copy(data=out)
        found.attrs = about | {"source": "Ang (2004)"}
        return found

    def _between(self, before: int | None, after: int | None) -> tuple[int, int]:
        first = self.years[0] if before is None else before
        last = self.years[-1] if after is None else after
        for year in (first, last):
            if year not in self.by_year:
                raise MeasureError(
                    f"there is no year {year}; there are {', '.join(map(str, self.years))}."
                )
        return first, last


def take_years(
    series: Series,
    what: str | Sequence[str],
    *,
    regions: Sequence[str] | None = None,
    level: Level = "region",
    together: Together = None,
) -> Years:
    """Measures of every year of a series, one world in memory at a time; see `take`."""
    return Years(
        {
            year: take(series[year], what, regions=regions, level=level, together=together)
            for year in series.years
        }
    )
