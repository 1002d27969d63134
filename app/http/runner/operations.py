"""Runs one operation: what FastAPI found out when it was declared, without what FastAPI does again for each request.

FastAPI reads the signatures, makes the fields and writes the OpenAPI document. Here each operation becomes a list of
steps, once, at the start: its dependencies in order, then its function. What the steps cannot do is refused at the
start with a TypeError that names the route and a remedy; nothing that was declared is skipped in silence.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl
from uuid import UUID

import orjson
from fastapi.concurrency import run_in_threadpool
from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import Dependant
from fastapi.routing import RouteContext, serialize_response
from fastapi.utils import is_body_allowed_for_status_code
from pydantic import TypeAdapter, ValidationError
from starlette.responses import Response

from app.http.problems import mistakes
from app.http.replies import Reply
from app.http.request import ApiRequest
from app.http.runner.declarations import known_parameters, must_be_understood, reads_in_header, takes_form
from app.schemas.format import forms, strict
from app.schemas.format.faults import Malformed, Mistake, mistake

_MISSING: Final = object()

MOST_PARAMETERS: Final = 100
"""No call has half as many."""


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

    def value(self, request: ApiRequest, path: Sequence[str], query: Mapping[str, str]) -> Any:
        """The checked value. Raises ValidationError or Malformed."""
        written = self.written(request, path, query)
        if written is None:
            if self.default is _MISSING:
                raise mistake([self.place, self.name], "missing", "This parameter is required. Send it.")
            return self.default
        value = self.validate(written)
        if not is_plain(value, written):
            raise not_plain(self, value)
        return value

    def written(self, request: ApiRequest, path: Sequence[str], query: Mapping[str, str]) -> str | None:
        """What the caller wrote; None when it is not there."""
        if self.place == "path":
            return path[self.position]
        if self.place == "query":
            return query.get(self.name)
        sent = request.headers_once.get(self.header)
        return None if sent is None else sent.decode("latin-1")


_NOT_PLAIN: Final = {
    int: ("int_parsing", "This should be a whole number in plain decimal digits."),
    UUID: ("uuid_parsing", "This should be a UUID, as in 0192f0c4-5a7e-7c31-9f7a-2d1c6f0e8b11."),
}


_UUID_LENGTH: Final = 36


def is_plain(value: Any, written: str) -> bool:
    """Python also reads `1_000`, `+1`, ` 1 ` as numbers and `{...}` as UUIDs: one thing would have many addresses."""
    kind = type(value)
    if kind is int:
        return str(value) == written
    return kind is not UUID or len(written) == _UUID_LENGTH  # all its other forms are shorter or longer


def not_plain(parameter: Parameter, value: Any) -> Malformed:
    """The mistake of somebody who wrote a number or a UUID in an unusual way."""
    return mistake([parameter.place, parameter.name], *_NOT_PLAIN[type(value)])


@dataclass(frozen=True, slots=True)
class Body:
    """The JSON body of an operation, or the form that it also takes."""

    argument: str
    required: bool
    default: Any
    takes_form: bool
    validate: Callable[[bytes], Any]
    validate_large: Callable[[Any], Any]
    """The same from Python's values: so whoever waits for the interpreter gets it in between."""

    def value(self, request: ApiRequest) -> Any:
        """The checked body. Raises ValidationError, Malformed or UnsupportedMediaType."""
        headers = request.headers_once
        if self.takes_form and forms.is_form(headers.get(b"content-type", b"")):
            fields = forms.parse(request.raw_body, headers.get(b"content-encoding"))
            return self.validate(orjson.dumps(fields))
        if request.raw_body:
            content = request.content()
            if not request.is_large:
                return self.validate(request.raw_body)
            made = self.validate_large(content)
            request.set_aside.append(made)
            return made
        if not self.required:
            return self.default
        if (kind := headers.get(b"content-type")) is not None:
            strict.must_be_json(kind, None)
        raise mistake(["body"], "missing", f"A body is needed. {strict.SEND_JSON}")


@dataclass(frozen=True, slots=True)
class Step:
    """A dependency, or at the end the operation itself: its function, and what it is called with."""

    call: Callable[..., Awaitable[Any]]
    request_as: str | None
    # Each argument that an earlier step found, with that step's number.
    needs: tuple[tuple[str, int], ...]
    parameters: tuple[Parameter, ...]
    body: Body | None


class Operation:
    """A function with everything that it must be given, ready to be run for each request."""

    def __init__(self, route: RouteContext) -> None:
        """Raises TypeError when it is declared with something that cannot be done here: see `declarations`."""
        must_be_understood(route)
        self._write = _writer(route)
        self._steps: list[Step] = []
        self._add(route.dependant, {}, list(route.param_convertors))
        self.takes_body = any(step.body for step in self._steps)
        self._known = known_parameters(route)

    async def reply(self, request: ApiRequest, path: Sequence[str]) -> Response:
        """What the operation answers. Raises what it raises, and Malformed naming every parameter that is wrong."""
        query = query_of(request, self._known) if request.scope["query_string"] else {}
        if self.takes_body and request.is_large:  # some steps ask for its content or its fingerprint
            await asyncio.to_thread(request.read_large)
        found: list[Any] = []
        for step in self._steps:
            if step.body is not None and request.is_large:
                arguments = await asyncio.to_thread(_arguments, step, request, path, query)
            else:
                arguments = _arguments(step, request, path, query) if step.parameters or step.body else {}
            if step.request_as:
                arguments[step.request_as] = request
            for argument, number in step.needs:
                arguments[argument] = found[number]
            found.append(await step.call(**arguments))
        answer = found[-1]
        if isinstance(answer, Response):
            return answer
        return await self._write(answer)

    def _add(self, dependant: Dependant, known: dict[Any, int], path_names: list[str]) -> int:
        """Enter a function after those that it depends on, each once unless it says otherwise; gives its number.

        A dependency without a name was declared at the route, the router or the application: it is run, and what it
        gives is dropped.
        """
        if dependant.use_cache and dependant.call in known:
            return known[dependant.call]
        below = [(each.name, self._add(each, known, path_names)) for each in dependant.dependencies]
        fields = (*dependant.path_params, *dependant.query_params, *dependant.header_params)
        step = Step(
            call=_awaitable(dependant.call),
            request_as=dependant.request_param_name or dependant.http_connection_param_name,
            needs=tuple((name, number) for name, number in below if name),
            parameters=tuple(_parameter(field, path_names) for field in fields),
            body=_body(dependant),
        )
        self._steps.append(step)
        number = len(self._steps) - 1
        known.setdefault(dependant.call, number)
        return number


def parameters_of(dependant: Dependant, path_names: list[str]) -> list[Parameter]:
    """Every parameter of a function and of all that it depends on."""
    fields = (*dependant.path_params, *dependant.query_params, *dependant.header_params)
    below = [each for one in dependant.dependencies for each in parameters_of(one, path_names)]
    return [_parameter(field, path_names) for field in fields] + below


def query_of(request: ApiRequest, known: Collection[str] | None) -> dict[str, str]:
    """The query's values by name.

    Raises Malformed when a name is there twice: which one counts would be a guess; and when it is none of the `known`
    ones (None: any may be there): a filter that is misspelt would be taken for one that filters nothing.
    """
    try:
        pairs = parse_qsl(
            request.scope["query_string"].decode(), keep_blank_values=True, max_num_fields=MOST_PARAMETERS
        )
    except ValueError:
        raise mistake(["query"], "too_many", f"A query may have up to {MOST_PARAMETERS} parameters.") from None
    values = dict(pairs)
    if len(values) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise mistake(["query", twice[:100]], "parameter_twice", "This parameter is there twice. Send it once.")
    if known is not None and not values.keys() <= set(known):
        unknown = next(name for name in values if name not in known)
        takes = f"This call takes {', '.join(sorted(known))}." if known else "This call takes none."
        raise mistake(["query", unknown[:100]], "parameter_unknown", f"There is no such parameter. {takes}")
    return values


def _arguments(step: Step, request: ApiRequest, path: Sequence[str], query: Mapping[str, str]) -> dict[str, Any]:
    """The values of a step's parameters and body. Raises Malformed with everything that is wrong with them."""
    arguments: dict[str, Any] = {}
    wrong: list[Mistake] = []
    for parameter in step.parameters:
        try:
            arguments[parameter.argument] = parameter.value(request, path, query)
        except ValidationError as error:
            wrong += _placed(error, parameter.place, parameter.name)
        except Malformed as error:
            wrong += error.errors
    if step.body is not None:
        try:
            arguments[step.body.argument] = step.body.value(request)
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


def _awaitable(call: Any) -> Callable[..., Awaitable[Any]]:
    """What does not wait by itself runs in a thread, as FastAPI has it."""
    if inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(getattr(call, "__call__", None)):  # noqa: B004
        return call  # type: ignore[no-any-return]
    return partial(run_in_threadpool, call)


def _writer(route: RouteContext) -> Callable[[Any], Awaitable[Response]]:
    """Makes the reply from an answer that is none yet, by FastAPI's own serialization and the options of the route."""
    status: int = route.status_code or 200
    kind = route.response_class
    is_usual = isinstance(kind, DefaultPlaceholder)
    made_by = kind.value if is_usual else kind
    is_ready_json = is_usual and route.response_field is not None
    options: dict[str, Any] = {
        "field": route.response_field,
        "include": route.response_model_include,
        "exclude": route.response_model_exclude,
        "by_alias": route.response_model_by_alias,
        "exclude_unset": route.response_model_exclude_unset,
        "exclude_defaults": route.response_model_exclude_defaults,
        "exclude_none": route.response_model_exclude_none,
        "dump_json": is_ready_json,
    }

    async def write(answer: Any) -> Response:
        if not is_body_allowed_for_status_code(status):
            return Reply(status=status)
        content = await serialize_response(response_content=answer, **options)
        return Reply(content, status) if is_ready_json else made_by(content, status_code=status)

    return write


def _parameter(field: Any, path_names: list[str]) -> Parameter:
    place = field.field_info.in_.value
    return Parameter(
        argument=field.name,
        place=place,
        name=field.alias,
        header=reads_in_header(field) if place == "header" else b"",
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
        validate_large=_adapter(field).validator.validate_python,
    )


def _adapter(field: Any) -> TypeAdapter[Any]:
    """FastAPI's own adapter of a field, with all that its annotation says."""
    adapter: TypeAdapter[Any] = field._type_adapter
    return adapter
