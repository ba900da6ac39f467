"""What every HTML page shares: templates, safe embedding, the scripts and their policy."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from entrepot.report.chart_base import CONFIG, figure, minus

FOLDER = files("entrepot.report")


def page(template: str, specs: Mapping[str, Any], **words: Any) -> str:
    """One HTML text that needs nothing else: a template that extends `base.html.j2`.

    Vega and the chart data are inside; a content security policy that allows
    only the page's own scripts, by hash, keeps out both the network and any
    script hidden in a name. Words are escaped.
    """
    scripts = {"library": library(), "script": template_text("page.js")}
    return str(
        environment()
        .get_template(template)
        .render(
            **words,
            css=markup(template_text("page.css")),
            policy=policy(scripts.values()),
            library=markup(scripts["library"]),
            script=markup(scripts["script"]),
            charts=list(specs),
            specs=markup(embed_json(specs)),
            config=markup(embed_json(CONFIG)),
            licences=(FOLDER / "data" / "LICENSE-vega.txt").read_text(encoding="utf-8"),
        )
    )


def embed_json(data: Any) -> str:
    """JSON for a script element: no character in it can end the element or start a comment."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def markup(text: str) -> Any:
    """Text of our own, or made safe, that the template must not escape."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704


def policy(scripts: Any) -> str:
    """Content security policy: these scripts only, and nothing from the network."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'"
        for s in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes} 'unsafe-eval'; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


@cache
def library() -> str:
    """Vega, Vega-Lite and Vega-Embed in one script (see data/LICENSE-vega.txt)."""
    return (FOLDER / "data" / "vega-bundle.js").read_text(encoding="utf-8")


def template_text(name: str) -> str:
    """A file of the folder `templates`."""
    return (FOLDER / "templates" / name).read_text(encoding="utf-8")


@cache
def environment() -> Any:
    """The templates, names in them escaped and unknown ones refused."""
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.FunctionLoader(template_text),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"figure": figure, "minus": minus}
    return made
