"""What a problem means and what to do about it: pages for people. Every problem's `type` leads to one of them."""

from functools import cache
from html import escape
from importlib.resources import files
from string import Template

from fastapi import APIRouter

from app.domain.refusals import NotFound
from app.http.replies import Reply, page
from app.http.routes import ApiRoute
from app.schemas.problems import KINDS, Kind

router = APIRouter(route_class=ApiRoute, include_in_schema=False)


@router.get("/problems/{code}")
async def explain_problem(code: str) -> Reply:
    """Explain a kind of problem."""
    kind = KINDS.get(code)
    if kind is None:
        raise NotFound("kind of problem")
    return page(_explanation(kind))


@cache
def _explanation(kind: Kind) -> bytes:
    template = Template((files("app") / "web" / "problem.html").read_text())
    words = {name: escape(str(getattr(kind, name))) for name in ("code", "status", "title", "meaning", "advice")}
    return template.substitute(words).encode()
