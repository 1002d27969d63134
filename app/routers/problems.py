"""What a problem means and what to do about it, as pages for people (docs/api.md, section 3)."""

from fastapi import APIRouter

from app.domain.refusals import NotFound
from app.http.problems import explanation
from app.http.replies import Reply, page
from app.http.routes import ApiRoute
from app.schemas.problems import KINDS

router = APIRouter(route_class=ApiRoute, include_in_schema=False)


@router.get("/problems/{code}")
async def explain_problem(code: str) -> Reply:
    """Explain a kind of problem."""
    kind = KINDS.get(code)
    if kind is None:
        raise NotFound("kind of problem")
    return page(explanation(kind).encode())
