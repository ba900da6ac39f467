"""Sphinx configuration: Markdown sources, no network at build time."""

from entrepot import __version__

project = "Entrepôt"
author = "The Entrepôt developers"
copyright = "2026, The Entrepôt developers"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.mathjax"]
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"Entrepôt {version}"
