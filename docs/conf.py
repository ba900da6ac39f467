"""Sphinx configuration: Markdown sources, no network to build the pages or to read them."""

import re
from html import unescape
from xml.etree import ElementTree

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

from entrepot import __version__

project = "Entrepôt"
author = "The Entrepôt developers"
copyright = "2026, The Entrepôt developers"
version = release = __version__

extensions = ["myst_parser"]
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"Entrepôt {version}"
html_math_renderer = "mathml"

MATHML = "http://www.w3.org/1998/Math/MathML"
ACCENT = "\N{MODIFIER LETTER CIRCUMFLEX ACCENT}"  # what \hat sets
ElementTree.register_namespace("", MATHML)


def mathml(formula, **how):
    """A LaTeX formula as MathML, subscripts beside a letter with a hat and not below it."""
    text = re.sub(r"&(?!amp;|lt;|gt;)\w+;", lambda m: unescape(m[0]), tex2mathml(formula, **how))
    tree = ElementTree.fromstring(text)
    for node in tree.iter(f"{{{MATHML}}}munderover"):
        letter, below, above = node
        if above.text == ACCENT:
            node.tag = f"{{{MATHML}}}msub"
            node[:] = [ElementTree.Element(f"{{{MATHML}}}mover", accent="true"), below]
            node[0][:] = [letter, above]
    return ElementTree.tostring(tree, encoding="unicode")


def inline_math(writer, node):
    """Formulas as MathML, which browsers draw without a script."""
    writer.body.append(mathml(node.astext()))
    raise nodes.SkipNode


def block_math(writer, node):
    """The same for a formula on its own line, scrolled when it is wider than the page."""
    formula = mathml(node.astext(), as_block=True)
    writer.body.append(f'<div style="overflow-x: auto; padding: 0.5em 0">{formula}</div>')
    raise nodes.SkipNode


def setup(app):
    """Register the renderer."""
    app.add_html_math_renderer("mathml", (inline_math, None), (block_math, None))
