"""Axes: exact labels, found by position; unknown ones get a did-you-mean."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Sequence

from entrepot.core.errors import EntrepotError, WorldError


def did_you_mean(word: str, known: Iterable[str], most: int = 3) -> str:
    """`"; did you mean 'a' or 'b'?"`, or an empty string when nothing is close."""
    by_fold = {k.casefold(): k for k in known}
    near = difflib.get_close_matches(word.casefold(), by_fold, n=most, cutoff=0.6)
    return f"; did you mean {' or '.join(repr(by_fold[n]) for n in near)}?" if near else ""


def require_unique(
    axis: str, labels: Sequence[str], error: type[EntrepotError] = WorldError
) -> None:
    """Raise naming the labels that stand more than once on an axis."""
    twice = [label for label, count in Counter(labels).items() if count > 1]
    if twice:
        raise error(f"{axis}: {some(twice)} stand(s) more than once; every label must be unique.")


def require_same(
    axis: str, left: Sequence[str], right: Sequence[str], error: type[EntrepotError] = WorldError
) -> None:
    """Raise unless two label sequences are equal, order included."""
    if tuple(left) == tuple(right):
        return
    odd = sorted(set(left) ^ set(right))
    why = f"only on one side: {some(odd)}" if odd else "the same labels in another order"
    raise error(f"{axis}: the labels differ ({why}); reorder or aggregate first.")


def position(axis: str, labels: Sequence[str], label: str) -> int:
    """Position of a label on an axis; raises WorldError with a did-you-mean."""
    try:
        return labels.index(label)
    except ValueError:
        hint = did_you_mean(label, labels)
        raise WorldError(f"There is no {axis} {label!r} in this world{hint}") from None


def some(items: Sequence[str], most: int = 5) -> str:
    """The first few items in quotes, and how many more there are."""
    shown = ", ".join(map(repr, items[:most]))
    return shown + (f" and {len(items) - most} more" if len(items) > most else "")
