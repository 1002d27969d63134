"""How routers are made here: their routes see the request as `Asked`, whichever way they are run."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from app.dependencies import Asked

BASE = "/api/v1"


class AskedRoute(APIRoute):
    """A route that FastAPI runs itself (a stream, a form), but with our request instead of its own."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's own handler, given an `Asked`."""
        run = super().get_route_handler()

        async def run_with_asked(request: Request) -> Response:
            asked = Asked(request.scope, request.receive)
            asked.request_id = request.state.request_id
            return await run(asked)

        return run_with_asked


def api_router(tag: str, *, in_schema: bool = True) -> APIRouter:
    """A router for calls under /api/v1, shown under this heading in the documentation, or nowhere."""
    return APIRouter(prefix=BASE, tags=[tag], route_class=AskedRoute, include_in_schema=in_schema)


def operation_id(route: APIRoute) -> str:
    """hold_seats becomes holdSeats."""
    first, *others = route.name.split("_")
    return first + "".join(word.title() for word in others)
