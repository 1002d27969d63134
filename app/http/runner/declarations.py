"""What a route may declare, and what becomes of it: honoured by `operations`, or refused here, at the start.

FastAPI accepts more than the lean runner can do. A declaration that would be skipped in silence is worse than none: a
guard that guards nothing. So each of those is a TypeError that names the route and says what to write instead.
`tests/http/test_declarations.py` lists them all.
"""

import inspect
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from fastapi import params
from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, RouteContext
from pydantic import BaseModel

F = TypeVar("F", bound=Callable[..., Any])

_API: Final = "/api/v1/"
_LENIENT: Final = "__ignores_unknown_parameters__"
_OR_PLAIN: Final = "Or run everything by FastAPI's own routing: USHER_PLAIN=on."


def must_be_understood(route: RouteContext) -> None:
    """Raises TypeError when a route declares what cannot be done here."""
    for complaint in (*_about_a_stream(route), *_about_functions(route.dependant), *_about_the_route(route)):
        raise TypeError(f"{'/'.join(sorted(route.methods or ()))} {route.path}: {complaint} {_OR_PLAIN}")


def ignores_unknown_parameters(operation: F) -> F:
    """Declares that the operation below ignores query parameters that it does not know; the others refuse them.

    For the calls of existing clients (docs/api.md, section 10).
    """
    setattr(operation, _LENIENT, True)
    return operation


def known_parameters(route: RouteContext | APIRoute) -> frozenset[str] | None:
    """The names that the query of an API call may have; None where others are ignored: pages, existing clients."""
    if not (route.path or "").startswith(_API) or hasattr(route.endpoint, _LENIENT):
        return None
    return frozenset(_query_names(route.dependant))


def takes_form(dependant: Dependant) -> bool:
    """Does its body's model say that it may come as a form?"""
    return any(getattr(field.field_info.annotation, "TAKES_FORM", False) for field in dependant.body_params)


def reads_in_header(field: Any) -> bytes:
    """The lower-case name of the header that a parameter comes from: `x_name` is `x-name`, unless it has an alias."""
    name: str = field.alias
    if name == field.name and field.field_info.convert_underscores:
        name = name.replace("_", "-")
    return name.lower().encode()


def _query_names(dependant: Dependant) -> Iterator[str]:
    yield from (field.alias for field in dependant.query_params)
    for below in dependant.dependencies:
        yield from _query_names(below)


def _about_a_stream(route: RouteContext) -> Iterator[str]:
    if inspect.isgeneratorfunction(route.endpoint) or inspect.isasyncgenfunction(route.endpoint):
        yield "a generator streams its answer. Return a StreamingResponse."


def _about_the_route(route: RouteContext) -> Iterator[str]:
    made_by: Any = type(route.original_route)
    if made_by.get_route_handler is not APIRoute.get_route_handler and not getattr(made_by, "IS_UNDERSTOOD", False):
        yield "a route class of its own handles requests in its own way. Write a dependency, or middleware."
    if len(route.dependant.body_params) > 1 or route._embed_body_fields:
        yield "a body has several parts. Declare one model for the whole body."
    strict = route.strict_content_type
    if not (strict.value if isinstance(strict, DefaultPlaceholder) else strict):
        yield "strict_content_type=False lets a body without a content type pass. Leave it out: bodies are JSON here."


def _about_functions(dependant: Dependant) -> Iterator[str]:
    """Of the operation and of everything that it depends on."""
    yield from _about_function(dependant)
    yield from _about_parameters(dependant)
    for below in dependant.dependencies:
        if below.body_params:
            yield f"{_name(below)} takes a body. Only the operation itself does."
        yield from _about_functions(below)


def _about_function(dependant: Dependant) -> Iterator[str]:
    name, call = _name(dependant), inspect.unwrap(dependant.call) if dependant.call else None
    called = getattr(call, "__call__", None)  # noqa: B004 - an object that is called, as Depends takes it
    if any(inspect.isgeneratorfunction(each) or inspect.isasyncgenfunction(each) for each in (call, called)):
        yield f"{name} yields. Return the value, and close what it opens in the operation or when the process stops."
    if dependant.security_scopes_param_name or dependant.own_oauth_scopes:
        yield f"{name} asks for SecurityScopes. Declare the scope with @api_key_scope under the route."
    if dependant.response_param_name:
        yield f"{name} writes to a Response that is passed in. Return a Reply with its headers and status."
    if dependant.background_tasks_param_name:
        yield f"{name} asks for BackgroundTasks. Return a response with its own background task."
    if dependant.concurrency is not None:
        yield f"{name} is bounded by max_concurrency. Bound it in the service that it calls."


def _about_parameters(dependant: Dependant) -> Iterator[str]:
    name = _name(dependant)
    if dependant.cookie_params:
        yield f"{name} reads cookies. Usher has none: send a header."
    for field in (*dependant.path_params, *dependant.query_params, *dependant.header_params):
        annotation = field.field_info.annotation
        if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
            yield f"{name} reads {field.name} as a model. Declare one parameter for each of its fields."
        if getattr(annotation, "__origin__", None) in (list, set, tuple, frozenset):
            yield f"{name} reads {field.name} as a list. Take one value with commas in it, and split it."
        if field.validation_alias not in (None, field.alias):
            yield f"{name} reads {field.name} under a validation_alias. Use alias."
    for field in dependant.body_params:
        if isinstance(field.field_info, params.Form):
            yield f"{name} reads a form or a file. Declare a model with TAKES_FORM, as LoginIn has it."


def _name(dependant: Dependant) -> str:
    return str(getattr(dependant.call, "__name__", dependant.call))
