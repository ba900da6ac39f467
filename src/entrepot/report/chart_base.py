"""What every chart shares: colours, configuration, figures."""

from __future__ import annotations

from typing import Any

from entrepot.report.table import number

Row = dict[str, Any]
Spec = dict[str, Any]

GAIN, LOSS, NEUTRAL = "#1f6fb2", "#b85c00", "#d6d7d4"
FONT = (
    "-apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Helvetica, Arial, system-ui, sans-serif"
)
CONFIG: Spec = {
    "font": FONT,
    "background": "transparent",
    "view": {"stroke": None},
    "scale": {"invalid": {"color": {"value": NEUTRAL}}},
    "axis": {
        "labelColor": "#3b4248",
        "titleColor": "#5b646b",
        "titleFontWeight": "normal",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "domain": False,
        "ticks": False,
        "gridColor": "#e6e8e6",
        "labelLimit": 170,
        "labelPadding": 5,
    },
    "legend": {
        "labelColor": "#3b4248",
        "titleColor": "#5b646b",
        "titleFontWeight": "normal",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "labelLimit": 330,
        "titleLimit": 500,
        "columns": 4,
    },
}


def minus(text: str) -> str:
    """A figure with the true minus sign."""
    return text.replace("-", "\N{MINUS SIGN}")


def figure(value: float | None, digits: int = 3, sign: bool = True) -> str:
    """A figure for the page, as in the terminal but with the true minus sign."""
    return minus(number(value, digits, sign))
