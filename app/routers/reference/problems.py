"""What a problem means and what to do about it: pages for people. Every problem's `type` leads to one of them."""

import re
from functools import cache
from html import escape
from importlib.resources import files
from string import Template

from fastapi import APIRouter

from app.domain.refusals import NotFound
from app.http.replies import Reply, page
from app.http.runner.routes import ApiRoute
from app.schemas.problems import KINDS, Kind

router = APIRouter(route_class=ApiRoute, include_in_schema=False)


@router.get("/problems")
async def list_problems() -> Reply:
    """List all kinds of problems."""
    return page(_all_of_them())


@router.get("/problems/{code}")
async def explain_problem(code: str) -> Reply:
    """Explain a kind of problem."""
    kind = KINDS.get(code)
    if kind is None:
        raise NotFound("kind of problem")
    return page(_explanation(kind))


@cache
def _all_of_them() -> bytes:
    rows = (
        f'<li><a href="/problems/{kind.code}"><code>{kind.code}</code></a> HTTP {kind.status}: {_html(kind.title)}</li>'
        for kind in sorted(KINDS.values(), key=lambda kind: kind.code)
    )
    return _template("problems.html").substitute(items="\n".join(rows)).encode()


@cache
def _explanation(kind: Kind) -> bytes:
    words = {name: _html(str(getattr(kind, name))) for name in ("code", "status", "title", "meaning", "advice")}
    return _template("problem.html").substitute(words).encode()


def _html(text: str) -> str:
    """A sentence as a page shows it: what stands in backticks is code."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text))


def _template(name: str) -> Template:
    return Template((files("app") / "web" / name).read_text())
