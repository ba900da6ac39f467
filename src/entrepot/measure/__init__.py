"""Numbers read off a World before changing it: one catalogue, one row a measure.

`take(world, names)` answers by name; the functions behind it can be called by themselves.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "Accounts": "accounts",
    "accounts_of": "accounts",
    "measures": "catalogue",
    "log_change": "structural",
    "structural_decomposition": "structural",
    "take": "measurement",
    "take_years": "years",
    "three_lenses": "lenses",
    "value_chains": "chains",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"entrepot.measure.{_HOME[name]}"), name)
    raise AttributeError(f"module 'entrepot.measure' has no attribute {name!r}")
