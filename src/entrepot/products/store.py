"""A product-trade store: a folder of Parquet, partitioned by year, and a small manifest.

    STORE/manifest.json
    STORE/trade/year=2022/part.parquet        exporter, importer, product, value, quantity
    STORE/reexports/year=2022/part.parquet    exporter, importer, product, exports, reexports

Values are in million USD, quantities in metric tons and null where absent.
Economies are ISO alpha-3 codes, or three digits where a code has none.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from entrepot.core.errors import DataError

KIND = "entrepot-product-trade"
VERSION = 1
MANIFEST = "manifest.json"
MAX_MANIFEST = 4 << 20
UNITS = {"value": "million USD", "quantity": "metric tons"}


class InputFile(BaseModel):
    """A file that a store was made of."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    bytes: int
    sha256: str


class Manifest(BaseModel):
    """What a store says of itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: str = Field(default=KIND, pattern=f"^{KIND}$")
    version: int = Field(default=VERSION, ge=1, le=VERSION)
    source: str
    release: str
    citation: str
    hs: str
    digits: int = Field(ge=2, le=6)
    valuation: str
    units: dict[str, str] = UNITS
    rows: dict[int, int]
    """Rows of trade by year."""
    reexport_years: tuple[int, ...] = ()
    numeric_codes: tuple[str, ...] = ()
    """Economies kept under the source's number, as no ISO code is known for it."""
    inputs: tuple[InputFile, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Store:
    """Product-level trade in a folder: where, and what it says of itself."""

    path: Path
    manifest: Manifest

    @property
    def years(self) -> tuple[int, ...]:
        """The years it holds, in order."""
        return tuple(sorted(self.manifest.rows))

    def to_dict(self) -> dict[str, Any]:
        """The manifest as plain data, with the years."""
        return {**self.manifest.model_dump(mode="json"), "years": list(self.years)}


def open_store(path: str | Path) -> Store:
    """A store by its folder; nothing but its manifest is read.

    Raises DataError for a folder that is no store, a manifest that is not what
    one is, a year whose file is missing, and anything that is a link.
    """
    folder = Path(path)
    file = folder / MANIFEST
    try:
        if not folder.is_dir():
            raise DataError(f"{folder}: no folder; a product-trade store was expected.")
        if not file.is_file() or file.is_symlink():
            raise DataError(
                f"{folder} holds no {MANIFEST}: not a product-trade store. "
                "Make one with `entrepot products read`."
            )
        if file.stat().st_size > MAX_MANIFEST:
            raise DataError(f"{file}: larger than {MAX_MANIFEST:,} bytes; refused.")
        manifest = Manifest.model_validate_json(file.read_text(encoding="utf-8"))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "it"
        raise DataError(f"{file}: not a store's manifest ({place}: {first['msg']}).") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: cannot be read ({error}).") from None
    store = Store(folder, manifest)
    if not manifest.rows:
        raise DataError(f"{file}: a store without a year.")
    for table, years in (("trade", store.years), ("reexports", manifest.reexport_years)):
        for year in years:
            part = part_of(folder, table, year)
            if not part.is_file() or any(p.is_symlink() for p in (part, *part.parents[:2])):
                raise DataError(f"{part}: missing, or a link; make the store again.")
    return store


def part_of(folder: Path, table: str, year: int) -> Path:
    """The file of one year of a table of a store."""
    return folder / table / f"year={year}" / "part.parquet"


def manifest_text(manifest: Manifest) -> str:
    """The manifest as it is written."""
    return json.dumps(manifest.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"


def input_files(inputs: Any) -> tuple[InputFile, ...]:
    """Inputs of a release in the manifest's form."""
    return tuple(InputFile(**asdict(item)) for item in inputs)
