"""Runs one operation: what FastAPI found out when it was declared, without what FastAPI does again for each request.

FastAPI reads the signatures, makes the fields and writes the OpenAPI document. The rules here are the same and fewer:
dependencies are `async def` and never wait for a thread, a body is strict JSON, a reply is ready bytes. An operation
that needs more (a form, a generator) runs on FastAPI's own way.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl
from uuid import UUID

import orjson
from fastapi import params
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, RouteContext
from pydantic import TypeAdapter, ValidationError
from starlette.responses import Response

from app.dependencies import Asked
from app.http.problems import mistakes
from app.http.replies import Reply
from app.schemas.format import forms, strict
from app.schemas.format.faults import Malformed, Mistake, mistake

_MISSING: Final = object()


class NotPlain(Exception):
    """The operation needs FastAPI's own way."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One value from the path, the query or a header: where it is, and how it is checked."""

    argument: str
    place: str
    name: str
    header: bytes
    position: int
    default: Any
    validate: Callable[..., Any]

    def value(self, asked: Asked, path: Sequence[str], query: Mapping[str, str]) -> Any:
        """The checked value. Raises ValidationError or Malformed."""
        written: str | None
        if self.place == "path":
            written = path[self.position]
        elif self.place == "query":
            written = query.get(self.name)
        else:
            sent = asked.headers_once.get(self.header)
            written = None if sent is None else sent.decode("latin-1")
        if written is None:
            if self.default is _MISSING:
                raise mistake([self.place, self.name], "missing", "This is needed.")
            return self.default
        value = self.validate(written)
        if not _is_plain(value, written):
            raise mistake([self.place, self.name], *_NOT_PLAIN[type(value)])
        return value


_NOT_PLAIN: Final = {
    int: ("int_parsing", "This should be a whole number in plain decimal digits."),
    UUID: ("uuid_parsing", "This should be a UUID, as in 0192f0c4-5a7e-7c31-9f7a-2d1c6f0e8b11."),
}


def _is_plain(value: Any, written: str) -> bool:
    """Python also reads `1_000`, `+1`, ` 1 ` as numbers and `{...}` as UUIDs: one thing would have many addresses."""
    kind = type(value)
    if kind is int:
        return str(value) == written
    return kind is not UUID or str(value) == written.lower()


@dataclass(frozen=True, slots=True)
class Body:
    """The JSON body of an operation, or the form that it also takes."""

    argument: str
    required: bool
    default: Any
    takes_form: bool
    validate: Callable[[bytes], Any]

    def value(self, asked: Asked) -> Any:
        """The checked body. Raises ValidationError, Malformed or UnsupportedMediaType."""
        headers = asked.headers_once
        if self.takes_form and forms.is_form(headers.get(b"content-type", b"")):
            fields = forms.parse(asked.raw_body, headers.get(b"content-encoding"))
            return self.validate(orjson.dumps(fields))
        if asked.raw_body:
            asked.content()
            return self.validate(asked.raw_body)
        if not self.required:
            return self.default
        if (kind := asked.headers_once.get(b"content-type")) is not None:
            strict.must_be_json(kind, None)
        raise mistake(["body"], "missing", f"A body is needed. {strict.SEND_JSON}")


@dataclass(frozen=True, slots=True)
class Step:
    """A dependency, or at the end the operation itself: its function, and what it is called with."""

    call: Callable[..., Awaitable[Any]]
    asked_as: str | None
    # Each argument that an earlier step found, with that step's number.
    needs: tuple[tuple[str, int], ...]
    parameters: tuple[Parameter, ...]
    body: Body | None


class Operation:
    """A function with everything that it must be given, ready to be run for each request."""

    def __init__(self, route: RouteContext) -> None:
        """Raises NotPlain when only FastAPI can run it, TypeError when it is declared in a way that is not wanted."""
        _must_be_plain(route)
        self._status: int = route.status_code or 200
        self._write = route.response_field.serialize_json if route.response_field else None
        self._steps: list[Step] = []
        self._add(route.dependant, {}, list(route.param_convertors))
        self.takes_body = any(step.body for step in self._steps)
        self._reads_query = any(one.place == "query" for step in self._steps for one in step.parameters)

    async def reply(self, asked: Asked, path: Sequence[str]) -> Response:
        """What the operation answers. Raises what it raises, and Malformed naming every parameter that is wrong."""
        query = _query(asked) if self._reads_query and asked.scope["query_string"] else {}
        found: list[Any] = []
        for step in self._steps:
            arguments = _arguments(step, asked, path, query) if step.parameters or step.body else {}
            if step.asked_as:
                arguments[step.asked_as] = asked
            for argument, number in step.needs:
                arguments[argument] = found[number]
            found.append(await step.call(**arguments))
        answer = found[-1]
        if isinstance(answer, Response):
            return answer
        if self._write is None:
            return Reply(status=self._status)
        return Reply(self._write(answer), self._status)

    def _add(self, dependant: Dependant, known: dict[Any, int], path_names: list[str]) -> int:
        """Enter a function after those that it depends on, each once; gives its number."""
        if dependant.call in known:
            return known[dependant.call]
        needs = tuple(
            (below.name, self._add(below, known, path_names)) for below in dependant.dependencies if below.name
        )
        parameters = tuple(
            _parameter(field, path_names)
            for field in (*dependant.path_params, *dependant.query_params, *dependant.header_params)
        )
        call = _awaitable(dependant)
        self._steps.append(Step(call, dependant.request_param_name, needs, parameters, _body(dependant)))
        known[dependant.call] = len(self._steps) - 1
        return known[dependant.call]


def _arguments(step: Step, asked: Asked, path: Sequence[str], query: Mapping[str, str]) -> dict[str, Any]:
    """The values of a step's parameters and body. Raises Malformed with everything that is wrong with them."""
    arguments: dict[str, Any] = {}
    wrong: list[Mistake] = []
    for parameter in step.parameters:
        try:
            arguments[parameter.argument] = parameter.value(asked, path, query)
        except ValidationError as error:
            wrong += _placed(error, parameter.place, parameter.name)
        except Malformed as error:
            wrong += error.errors
    if step.body is not None:
        try:
            arguments[step.body.argument] = step.body.value(asked)
        except ValidationError as error:
            wrong += _placed(error, "body")
        except Malformed as error:
            wrong += error.errors
    if wrong:
        raise Malformed(wrong)
    return arguments


def _placed(error: ValidationError, *place: str) -> list[Mistake]:
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    return mistakes([{**one, "loc": (*place, *one["loc"])} for one in errors])


def _query(asked: Asked) -> dict[str, str]:
    """The query's values by name. Raises Malformed when a name is there twice: which one counts would be a guess."""
    pairs = parse_qsl(asked.scope["query_string"].decode(), keep_blank_values=True)
    values = dict(pairs)
    if len(values) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise mistake(["query", twice[:100]], "parameter_twice", "This parameter is there twice.")
    return values


def _must_be_plain(route: RouteContext) -> None:
    body: Any = route.body_field
    if not inspect.iscoroutinefunction(route.endpoint) or (body and isinstance(body.field_info, params.Form)):
        raise NotPlain
    if not isinstance(route.original_route, APIRoute) or route.dependant is None:
        raise NotPlain
    if route._embed_body_fields or len(route.dependant.body_params) > 1:
        raise TypeError(f"{route.path}: one body, one model")


def _awaitable(dependant: Dependant) -> Callable[..., Awaitable[Any]]:
    call: Any = dependant.call
    if not (inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(getattr(call, "__call__", None))):  # noqa: B004
        raise TypeError(f"{call}: a dependency is an `async def` that does not wait for a thread")
    if dependant.cookie_params or dependant.response_param_name or dependant.background_tasks_param_name:
        raise TypeError(f"{call}: cookies, Response and BackgroundTasks are not for plain operations; make a Reply")
    return call  # type: ignore[no-any-return]


def _parameter(field: Any, path_names: list[str]) -> Parameter:
    place = field.field_info.in_.value
    return Parameter(
        argument=field.name,
        place=place,
        name=field.alias,
        header=field.alias.lower().encode() if place == "header" else b"",
        position=path_names.index(field.alias) if place == "path" else -1,
        default=_MISSING if field.field_info.is_required() else field.get_default(),
        validate=_adapter(field).validator.validate_python,
    )


def _body(dependant: Dependant) -> Body | None:
    if not dependant.body_params:
        return None
    [field] = dependant.body_params
    required = field.field_info.is_required()
    return Body(
        argument=field.name,
        required=required,
        default=None if required else field.get_default(),
        takes_form=takes_form(dependant),
        validate=_adapter(field).validator.validate_json,
    )


def takes_form(dependant: Dependant) -> bool:
    """Does its body's model say that it may come as a form?"""
    return any(getattr(field.field_info.annotation, "TAKES_FORM", False) for field in dependant.body_params)


def _adapter(field: Any) -> TypeAdapter[Any]:
    """FastAPI's own adapter of a field, with all that its annotation says."""
    adapter: TypeAdapter[Any] = field._type_adapter
    return adapter
