"""How routers are made here, and how their routes are run by FastAPI itself when USHER_PLAIN is on."""

from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import ClassVar, Final

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from pydantic import ValidationError

from app.http.request import ApiRequest
from app.http.runner.declarations import known_parameters, takes_form
from app.http.runner.operations import Parameter, is_plain, not_plain, parameters_of, query_of
from app.schemas.format import forms, strict

BASE: Final = "/api/v1"


class ApiRoute(APIRoute):
    """A route whose handler, where FastAPI runs it, is given our request, and is as strict as the lean runner."""

    IS_UNDERSTOOD: ClassVar = True

    def get_route_handler(self) -> Callable[[Request], Coroutine[None, None, Response]]:
        """FastAPI's own handler, given the `ApiRequest` that the edge has made."""
        run = super().get_route_handler()
        parameters = parameters_of(self.dependant, list(self.param_convertors))
        has_form = takes_form(self.dependant)
        known = known_parameters(self)

        async def run_with_our_request(request: Request) -> Response:
            ours: ApiRequest = request.scope["usher.request"]
            ours.scope = request.scope
            ours.scope["method"] = ours.scope["usher.method"]
            _must_be_plain(ours, parameters, known)
            if self.body_field:
                _must_be_readable(ours, has_form=has_form)
            return await run(ours)

        return run_with_our_request


def api_router(tag: str, *, in_schema: bool = True) -> APIRouter:
    """A router for calls under /api/v1, shown under this heading in the documentation, or nowhere."""
    return APIRouter(prefix=BASE, tags=[tag], route_class=ApiRoute, include_in_schema=in_schema)


def operation_id(route: APIRoute) -> str:
    """hold_seats becomes holdSeats."""
    first, *others = route.name.split("_")
    return first + "".join(word.title() for word in others)


def _must_be_readable(request: ApiRequest, *, has_form: bool) -> None:
    """Raises UnsupportedMediaType or Malformed, before FastAPI reads the same body in its own way."""
    kind = request.headers_once.get(b"content-type")
    if has_form and kind is not None and forms.is_form(kind):
        request.take_form()
    elif kind is not None and not request.raw_body:
        strict.must_be_json(kind, None)
    request.content()


def _must_be_plain(request: ApiRequest, parameters: Sequence[Parameter], known: Collection[str] | None) -> None:
    """Raises Malformed for what the lean runner refuses and FastAPI takes: `?limit=1_0`, `?limit=1&limit=2`."""
    query = query_of(request, known)
    path = tuple(request.path_params.values())
    for one in parameters:
        if (written := one.written(request, path, query)) is not None:
            try:
                value = one.validate(written)
            except ValidationError:
                continue  # FastAPI says so, together with everything else that is wrong
            if not is_plain(value, written):
                raise not_plain(one, value)
