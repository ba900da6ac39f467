"""Check docs/licences.csv against what is installed and what is embedded.

Fails when a distribution that Entrepôt needs is not in the table, when its own
metadata names no permissive licence, or when an embedded data file is not in
the table.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parent.parent
TABLE = ROOT / "docs" / "licences.csv"
PACKAGE = ROOT / "src" / "entrepot"

# MPL-2.0 binds changes to its own files only, so a library under it may be used as it is.
PERMISSIVE = frozenset(
    {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "HPND", "ISC", "MIT"}
    | {"MIT-0", "MPL-2.0", "PSF-2.0", "Python-2.0", "Unlicense", "Zlib"}
)
OTHER_NAMES = {
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
    "psf": "PSF-2.0",
    "the unlicense (unlicense)": "Unlicense",
}

# What is known of a distribution, by name; None when it is not installed.
Lookup = Callable[[str], "metadata.Distribution | None"]


def canonical(name: str) -> str:
    """A distribution's name as the package index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed(name: str) -> metadata.Distribution | None:
    """The installed distribution of a name, or None."""
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None


def requirements(
    distribution: metadata.Distribution, extras: bool = False
) -> Iterator[tuple[str, bool]]:
    """Names that a distribution requires, and whether only under a condition or for an extra."""
    for line in distribution.requires or []:
        requirement, _, condition = line.partition(";")
        if "extra" in condition and not extras:
            continue
        if match := re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", requirement):
            yield canonical(match[1]), bool(condition.strip())


def needed(root: str, lookup: Lookup = installed) -> dict[str, metadata.Distribution | None]:
    """Every distribution that one needs, direct or not; None where it should be here and is not.

    The root's own extras count where they are installed.
    """
    found: dict[str, metadata.Distribution | None] = {}
    queue = [canonical(root)]
    while queue:
        owner = queue.pop()
        distribution = lookup(owner)
        wanted = requirements(distribution, owner == canonical(root)) if distribution else ()
        for name, conditional in wanted:
            if name in found:
                continue
            there = lookup(name)
            if there is None and conditional:
                continue
            found[name] = there
            queue.append(name)
    return found


def licence(distribution: metadata.Distribution) -> str:
    """The licence that a distribution's metadata names, as an SPDX expression where it can be."""
    about = distribution.metadata
    for expression in about.get_all("License-Expression") or []:
        return str(expression)
    text = "\n".join(map(str, about.get_all("License") or [])).strip()
    if text and "\n" not in text and len(text) < 60:
        return OTHER_NAMES.get(text.casefold(), text)
    for line in about.get_all("Classifier") or []:
        kind, _, name = str(line).rpartition(" :: ")
        if kind.startswith("License"):
            return OTHER_NAMES.get(name.casefold(), name)
    return text.partition("\n")[0][:60]


def permissive(expression: str) -> bool:
    """Whether an SPDX expression can be met by permissive licences alone."""
    words = re.sub(r"[()]", " ", expression)
    if "(" in expression and " OR " in words and " AND " in words:
        words = words.replace(" OR ", " AND ")  # nested: every licence must do
    return any(
        all(part.split(" WITH ")[0].strip() in PERMISSIVE for part in choice.split(" AND "))
        for choice in words.split(" OR ")
    )


def data_files(package: Path = PACKAGE) -> list[str]:
    """Embedded data files, relative to the package; notes about them are not data."""
    return sorted(
        path.relative_to(package).as_posix()
        for path in package.rglob("data/*")
        if path.is_file() and not path.name.startswith(("LICENSE", "SOURCES"))
    )


def read_table(path: Path = TABLE) -> dict[tuple[str, str], dict[str, str]]:
    """The table by (kind, name)."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {
        (row["kind"], canonical(row["name"]) if row["kind"] == "package" else row["name"]): row
        for row in rows
    }


def problems(
    table: Mapping[tuple[str, str], Mapping[str, str]],
    packages: Mapping[str, metadata.Distribution | None],
    files: list[str],
) -> Iterator[str]:
    """One line for each thing that is missing, unlisted or not permissive."""
    for name, distribution in sorted(packages.items()):
        if distribution is None:
            yield f"{name} is required but not installed"
            continue
        if ("package", name) not in table:
            yield f"{name} is installed but not in docs/licences.csv"
        if not permissive(licence(distribution)):
            yield f"{name}: {licence(distribution) or 'no licence'!r} is not on the permissive list"
    for (kind, name), row in sorted(table.items()):
        if kind == "package" and not permissive(row["licence"]):
            yield f"docs/licences.csv: {name}: {row['licence']!r} is not on the permissive list"
        if kind == "data" and name not in files:
            yield f"docs/licences.csv: there is no data file {name}"
        if not row["source"] or not row["licence"]:
            yield f"docs/licences.csv: {name} has no source or no licence"
    for name in files:
        if ("data", name) not in table:
            yield f"{name} is embedded but not in docs/licences.csv"


def main() -> None:
    """Print what is wrong and exit with 1, or one line when nothing is."""
    packages, files = needed("entrepot"), data_files()
    if not packages:
        sys.exit("licences: entrepot is not installed, or requires nothing; nothing was checked")
    wrong = list(problems(read_table(), packages, files))
    for line in wrong:
        print(f"licences: {line}", file=sys.stderr)
    if wrong:
        sys.exit(1)
    print(f"licences: {len(packages)} packages and {len(files)} data files are in order")


if __name__ == "__main__":
    main()
