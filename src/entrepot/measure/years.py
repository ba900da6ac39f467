"""Measures through time: any measure over a stack of years, and what its change is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from entrepot.core.errors import MeasureError
from entrepot.measure.accounts import Level, Together, accounts_of
from entrepot.measure.measurement import Measurement, chosen, take
from entrepot.measure.measurement import notes as measured_notes
from entrepot.measure.structural import log_change, structural_decomposition
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
        """What each cell adds to the log change of the total it is part of, between two years.

        The total is the region's where the measure has other axes beside `region`, else
        the sum over regions. Exact: the parts sum to the log change of the total
        (`log_change`); NaN where a total is not positive. First and last year where
        none is given. Raises MeasureError for a measure that is not additive, and for years
        that are not there.
        """
        first, last = self._between(before, after)
        values = self[name]
        if not self.by_year[first].item(name).measure.additive:
            raise MeasureError(
                f"{name} is not an amount that adds up; its change has no parts. Measures that do: "
                "`entrepot measure list --json`, key additive."
            )
        old, new = values.sel(year=first), values.sel(year=last)
        out = np.full(old.shape, np.nan)
        for i in range(old.shape[0]) if old.ndim > 1 else [slice(None)]:
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


# --- as rows -------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Rows:
    """A table through time: tidy rows, and what stands over and under it."""

    title: str
    unit: str
    frame: pd.DataFrame
    sources: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain data for `--json`: absent values are null."""
        records = self.frame.astype(object).where(self.frame.notna(), None).to_dict("records")
        return {
            "title": self.title,
            "unit": self.unit,
            "sources": list(self.sources),
            "notes": list(self.notes),
            "rows": records,
        }


def year_rows(
    series: Series,
    what: Sequence[str],
    first: int | None = None,
    last: int | None = None,
    regions: Sequence[str] | None = None,
    **shape: Any,
) -> Rows:
    """Measures, one row a cell and one column a year, of the years from first to last.

    Raises MeasureError where there is none.
    """
    import pandas as pd

    low = series.years[0] if first is None else first
    high = series.years[-1] if last is None else last
    asked = {year: load for year, load in series.loaders.items() if low <= year <= high}
    if not asked:
        raise MeasureError(
            f"there is no year from {low} to {high}; there are {', '.join(map(str, series.years))}."
        )
    found = take_years(Series(asked), what, regions=regions, **shape)
    frames = []
    for name in next(iter(found.by_year.values())).names:
        values = found[name]
        table = values.rename("value").to_dataframe().reset_index()
        dims = [d for d in values.dims if d != "year"]
        wide = table.pivot_table(
            index=dims, columns="year", values="value", sort=False, dropna=False, observed=True
        )
        wide = wide.reset_index()
        wide.insert(0, "measure", name)
        wide.insert(1, "unit", values.attrs["unit"])
        frames.append(wide)
    frame = pd.concat(frames, ignore_index=True)
    frame.columns = [str(c) for c in frame.columns]
    years = [str(y) for y in found.years]
    frame = frame[[c for c in frame if c not in years] + years]
    return Rows("Measures by year", "", frame, *_said(found))


def change_rows(
    series: Series,
    what: Sequence[str],
    first: int | None = None,
    last: int | None = None,
    regions: Sequence[str] | None = None,
    **shape: Any,
) -> Rows:
    """What each cell of additive measures adds to the log change of its total; see `Years.change`."""
    import pandas as pd

    years = _ends(series, first, last)
    found = take_years(years, what, regions=regions, **shape)
    frames = []
    for name in next(iter(found.by_year.values())).names:
        table = found.change(name).rename("log_change").to_dataframe().reset_index()
        table.insert(0, "measure", name)
        frames.append(table[[*(c for c in table if c != "log_change"), "log_change"]])
    before, after = years.years
    title = f"What each part adds to the log change, {before} to {after}"
    return Rows(title, "log change", pd.concat(frames, ignore_index=True), *_said(found))


def structural_rows(
    series: Series,
    of: str,
    first: int | None = None,
    last: int | None = None,
    regions: Sequence[str] | None = None,
    **shape: Any,
) -> Rows:
    """What moved a satellite between two years, one column a factor; see `structural_decomposition`."""
    import pandas as pd

    years = _ends(series, first, last)
    before, after = (accounts_of(years[year], **shape) for year in years)
    found = structural_decomposition(before, after, of)
    if regions is not None:
        found = found.sel(region=list(chosen(before, regions)))
    columns = {str(factor): found.values[:, i] for i, factor in enumerate(found.factor.values)}
    labels = {"region": found.region.values, "change": found.values.sum(1)}
    frame = pd.DataFrame(labels | columns)
    title = f"What moved {of}, {years.years[0]} to {years.years[1]}"
    notes = tuple(dict.fromkeys([*measured_notes(before), *measured_notes(after)]))
    return Rows(title, found.attrs["unit"], frame, (found.attrs["source"],), notes)


def _ends(series: Series, first: int | None, last: int | None) -> Series:
    """The two years of a change; raises MeasureError unless they are two."""
    before = series.years[0] if first is None else first
    after = series.years[-1] if last is None else last
    if before >= after:
        raise MeasureError(
            f"a change needs two years, the earlier first; {before} and {after} were given "
            f"(the series has {', '.join(map(str, series.years))})."
        )
    for year in (before, after):
        if year not in series.loaders:
            raise MeasureError(
                f"there is no year {year}; there are {', '.join(map(str, series.years))}."
            )
    return Series({year: series.loaders[year] for year in (before, after)})


def _said(found: Years) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Sources, and what a reader must know, each once."""
    all_years = list(found.by_year.values())
    sources = [f"{i.name}: {i.measure.source}" for i in all_years[0].items]
    notes: list[str] = []
    for one in all_years:
        notes += one.notes
        notes += [f"Estimated, not observed: {text}" for text in one.estimated]
    return tuple(sources), tuple(dict.fromkeys(notes))
