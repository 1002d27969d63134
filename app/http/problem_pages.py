"""`GET /problems/<code>`: a page for people that explains a kind of problem. Every problem's `type` leads to one."""

from html import escape
from typing import Final

from fastapi import APIRouter

from app.domain.refusals import NotFound
from app.http.replies import Reply, page
from app.schemas.problems import KINDS, Kind

router = APIRouter()

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} - Usher</title>
<style>
body {{ font: 1rem/1.6 system-ui, sans-serif; margin: 3rem auto; max-width: 40rem; padding: 0 1rem; }}
code {{ background: #8882; border-radius: .2rem; padding: .1rem .3rem; }}
:root {{ color-scheme: light dark; }}
</style>
</head>
<body>
<main>
<p><code>{code}</code> &middot; HTTP {status}</p>
<h1>{title}</h1>
<p>{meaning}</p>
<h2>What to do</h2>
<p>{advice}</p>
<p><a href="/docs">All calls</a></p>
</main>
</body>
</html>
"""


def explanation(kind: Kind) -> str:
    """The page that explains a kind of problem to a person."""
    words = {name: escape(str(getattr(kind, name))) for name in ("code", "status", "title", "meaning", "advice")}
    return _PAGE.format(**words)


@router.get("/problems/{code}", include_in_schema=False)
async def explain_problem(code: str) -> Reply:
    """What a problem means and what to do about it, as a page."""
    kind = KINDS.get(code)
    if kind is None:
        raise NotFound("kind of problem")
    return page(explanation(kind).encode())
