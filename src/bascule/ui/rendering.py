"""Templates to pages. Everything that is shown is escaped unless it is ours and marked as such."""

import gzip
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, PrefixLoader, StrictUndefined
from markupsafe import Markup

from bascule import __version__
from bascule.ui import filters, flash
from bascule.ui.static_files import static_url, takes_gzip

PACKAGE = Path(__file__).parent.parent
THEMES = ("auto", "light", "dark")
SMALLEST_GZIPPED = 1_000  # bytes
HIDDEN = Markup('aria-hidden="true"')


@cache
def templates() -> Environment:
    folders = PACKAGE.glob("*/templates")
    loaders = {folder.parent.name: FileSystemLoader(folder) for folder in folders}
    env = Environment(
        loader=PrefixLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters.update(filters.FILTERS)
    env.globals.update(
        static=static_url, icon=icon, version=__version__, page_url=page_url, as_json=_as_json
    )
    return env


def render(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page. `template` is "<room>/<file>"; it knows `user` and `csrf` besides the values."""
    said = flash.take(request)
    session = getattr(request.state, "session", None)
    theme = request.cookies.get("bascule_theme", "auto")
    html = (
        templates()
        .get_template(template)
        .render(
            request=request,
            user=getattr(request.state, "user", None),
            csrf=session.csrf if session else "",
            position=getattr(request.state, "position", None),
            said=said,
            theme=theme if theme in THEMES else "auto",
            here=f"{request.url.path}?{request.url.query}"
            if request.url.query
            else request.url.path,
            **values,
        )
    )
    headers = {"Cache-Control": "no-store", "Vary": "Accept-Encoding"}
    content = html.encode()
    if len(content) >= SMALLEST_GZIPPED and takes_gzip(request):
        content = gzip.compress(content, 5)
        headers["Content-Encoding"] = "gzip"
    response = HTMLResponse(content, status, headers)
    if said is not None:
        flash.forget(response)
    return response


def is_htmx(request: Request) -> bool:
    """htmx asks for a part of the page; it picks it from a whole one."""
    return request.headers.get("hx-request") == "true"


def page_url(path: str, query: Iterable[tuple[str, Any]] = (), **more: Any) -> str:
    """A path with a query; what is None or empty is left out."""
    pairs = [(name, value) for name, value in [*query, *more.items()] if value not in (None, "")]
    return f"{path}?{urlencode(pairs)}" if pairs else path


@cache
def icon(name: str, label: str = "") -> Markup:
    """One of `icons`, by its name in Tabler's set. `label`: what it says where it stands alone."""
    paths = Markup((Path(__file__).parent / "icons" / f"{name}.svg").read_text())  # noqa: S704 - ours
    role = Markup('role="img" aria-label="{}"').format(label) if label else HIDDEN
    return Markup(
        '<svg class="icon icon-{}" width="24" height="24" viewBox="0 0 24 24" fill="none" '
        'stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" '
        "{}>{}</svg>"
    ).format(name, role, paths)


def _as_json(value: Any) -> str:
    """For data attributes; escaped like any text."""
    return json.dumps(value, default=str, ensure_ascii=False)
