"""The one document of all buyers' pages: what it loads, and what it knows already, so that nobody must ask for it."""

from functools import lru_cache
from html import escape
from typing import Final

from app.domain.house.catalogue import ListedScreening, Theater
from app.http.pages.files import JOINED, WEB, WebFile, version, web_file
from app.schemas.house.theaters import theater_json
from app.schemas.screenings import screening_json

_TEMPLATE: Final = (WEB / "pages" / "index.html").read_text()
_HTML: Final = b"text/html; charset=utf-8"


@lru_cache(maxsize=4)
def document(features: str) -> WebFile:
    """The document of a page that asks for everything itself. `features`: which parts of the API there are."""
    return web_file(_filled(features, "").encode(), _HTML)


def document_of_screening(features: str, listed: ListedScreening, theater: Theater) -> WebFile:
    """The document of a screening's page. It has the screening and its theater, and lets the browser ask for layout and
    availability before any script has arrived.
    """
    known = b'{"screening":%s,"theater":%s}' % (screening_json(listed), theater_json(theater))
    paths = f"/api/v1/theaters/{theater.id}/layout", f"/api/v1/screenings/{listed.screening.id}/availability"
    links = "".join(f'<link rel="preload" as="fetch" crossorigin href="{path}">\n' for path in paths)
    html = _filled(features, f'{links}<meta name="known" content="{escape(known.decode())}">')
    return web_file(html.encode(), _HTML)


def _filled(features: str, known: str) -> str:
    html = _TEMPLATE
    for name, value in (("version", version()), ("script", JOINED), ("features", features), ("known", known)):
        html = html.replace(f"{{{{{name}}}}}", value)
    return html
