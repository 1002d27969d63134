"""What FastAPI's documentation teaches, and what becomes of it here: it works, or the application does not start.

Each feature is a small application. By FastAPI's own routing (USHER_PLAIN) all of them work, which is the remedy that
every complaint names.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from types import SimpleNamespace
from typing import Annotated, Any

import pytest
from fastapi import (
    APIRouter,
    BackgroundTasks,
    Cookie,
    Depends,
    FastAPI,
    File,
    Form,
    Header,
    HTTPException,
    Query,
    Request,
    Response,
    Security,
)
from fastapi.responses import HTMLResponse, PlainTextResponse, StreamingResponse
from fastapi.routing import APIRoute
from fastapi.security import SecurityScopes
from httpx import ASGITransport, AsyncClient
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.background import BackgroundTask

from app.domain.people.people import KeyScope
from app.domain.refusals import NotFound
from app.http.credentials import Caller
from app.http.runner.routes import ApiRoute
from app.http.scopes import api_key_scope
from app.main import Usher
from app.schemas.format.requests import Strict
from app.services.running.measures import Measures

Declare = Callable[[Usher], None]

happened: list[str] = []


class Seat(BaseModel):
    """An answer with a member that has a default."""

    label: str
    row: str = "A"


class Wanted(Strict):
    """A body."""

    label: str


def guard() -> None:
    """A guard that is a plain function."""
    happened.append("guard")


async def closed() -> None:
    """A guard that lets nobody in."""
    raise HTTPException(403)


class Page:
    """A class as a dependency."""

    def __init__(self, size: int = 10) -> None:
        self.size = size


def application(declare: Declare, **options: Any) -> Usher:
    """An application with the edge, and what a test declares."""
    app = Usher(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False, **options)
    app.state.resources = SimpleNamespace(
        rates=None, settings=SimpleNamespace(guests=True), measures=Measures(), request_log=None, tracing=None
    )
    declare(app)
    return app


def client(app: Usher) -> AsyncClient:
    return AsyncClient(transport=ASGITransport(app, raise_app_exceptions=False), base_url="http://usher.test")


@pytest.fixture(autouse=True)
def nothing_happened() -> Iterator[None]:
    happened.clear()
    yield
    happened.clear()


# --- what works, in both ways ----------------------------------------------------------------------------------------


def at_the_route(app: Usher) -> None:
    router = APIRouter(prefix="/api/v1")

    @router.get("/seat", dependencies=[Depends(guard)])
    async def seat() -> Seat:
        return Seat(label="A1")

    app.include_router(router)


def at_the_router(app: Usher) -> None:
    router = APIRouter(prefix="/api/v1", dependencies=[Depends(guard)])

    @router.get("/seat")
    async def seat() -> Seat:
        return Seat(label="A1")

    app.include_router(router)


def where_it_is_included(app: Usher) -> None:
    router = APIRouter(prefix="/api/v1")

    @router.get("/seat")
    async def seat() -> Seat:
        return Seat(label="A1")

    app.include_router(router, dependencies=[Depends(guard)])


def in_the_signature(app: Usher) -> None:
    @app.get("/api/v1/seat")
    async def seat(_: Annotated[None, Depends(guard)]) -> Seat:
        return Seat(label="A1")


BOTH_WAYS = pytest.mark.parametrize("plain", [False, True], ids=["lean", "plain"])


@BOTH_WAYS
@pytest.mark.parametrize("declare", [at_the_route, at_the_router, where_it_is_included, in_the_signature])
async def test_a_dependency_is_run_wherever_it_is_declared(declare: Declare, plain: bool) -> None:
    async with client(application(declare, plain=plain)) as caller:
        answer = await caller.get("/seat")

    assert (answer.status_code, answer.json()) == (200, {"label": "A1", "row": "A"})
    assert happened == ["guard"]


@BOTH_WAYS
async def test_a_dependency_of_the_application_is_run(plain: bool) -> None:
    def declare(app: Usher) -> None:
        @app.get("/api/v1/seat")
        async def seat() -> Seat:
            return Seat(label="A1")

    async with client(application(declare, plain=plain, dependencies=[Depends(guard)])) as caller:
        assert (await caller.get("/seat")).status_code == 200
    assert happened == ["guard"]


@BOTH_WAYS
async def test_a_guard_at_the_route_guards(plain: bool) -> None:
    def declare(app: Usher) -> None:
        @app.get("/api/v1/seat", dependencies=[Depends(closed)])
        async def seat() -> Seat:
            happened.append("the operation")
            return Seat(label="A1")

    async with client(application(declare, plain=plain)) as caller:
        assert (await caller.get("/seat")).status_code == 403
    assert happened == []


@BOTH_WAYS
async def test_a_guard_at_the_route_that_asks_for_a_token_gets_none_past_it(plain: bool) -> None:
    async def known(caller: Caller) -> None:
        if caller is None:
            raise HTTPException(401)

    def declare(app: Usher) -> None:
        @app.get("/api/v1/seat", dependencies=[Depends(known)])
        @api_key_scope(KeyScope.READ)
        async def seat() -> Seat:
            return Seat(label="A1")

    app = application(lambda _: None, plain=plain)
    app.router.route_class = ApiRoute
    declare(app)
    async with client(app) as caller:
        assert (await caller.get("/seat")).status_code == 401


@BOTH_WAYS
async def test_a_dependency_is_run_once_unless_it_says_otherwise(plain: bool) -> None:
    def declare(app: Usher) -> None:
        @app.get("/api/v1/cached")
        async def cached(_: Annotated[None, Depends(guard)], __: Annotated[None, Depends(guard)]) -> Seat:
            return Seat(label="A1")

        @app.get("/api/v1/fresh")
        async def fresh(
            _: Annotated[None, Depends(guard)], __: Annotated[None, Depends(guard, use_cache=False)]
        ) -> Seat:
            return Seat(label="A1")

    async with client(application(declare, plain=plain)) as caller:
        await caller.get("/cached")
        assert happened == ["guard"]
        await caller.get("/fresh")
        assert happened == ["guard"] * 3


@BOTH_WAYS
async def test_plain_functions_and_classes_are_run(plain: bool) -> None:
    def declare(app: Usher) -> None:
        @app.get("/api/v1/page")
        def page(page: Annotated[Page, Depends()]) -> dict[str, int]:
            return {"size": page.size}

    async with client(application(declare, plain=plain)) as caller:
        assert (await caller.get("/page?size=3")).json() == {"size": 3}
        assert (await caller.get("/page?size=x")).status_code == 422


@BOTH_WAYS
@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, {"label": "A1", "row": "A"}),
        ({"response_model_exclude_unset": True}, {"label": "A1"}),
        ({"response_model_exclude_defaults": True}, {"label": "A1"}),
        ({"response_model_include": {"row"}}, {"row": "A"}),
        ({"response_model_exclude": {"row"}}, {"label": "A1"}),
        ({"status_code": 201}, {"label": "A1", "row": "A"}),
    ],
)
async def test_the_options_of_a_response_model_count(
    options: dict[str, Any], told: dict[str, str], plain: bool
) -> None:
    def declare(app: Usher) -> None:
        @app.get("/api/v1/seat", **options)
        async def seat() -> Seat:
            return Seat(label="A1")

    async with client(application(declare, plain=plain)) as caller:
        answer = await caller.get("/seat")

    assert (answer.status_code, answer.json()) == (options.get("status_code", 200), told)


@BOTH_WAYS
async def test_an_answer_that_is_not_of_its_model_is_an_error_and_not_sent(plain: bool) -> None:
    def declare(app: Usher) -> None:
        @app.get("/api/v1/seat", response_model=Seat)
        async def seat() -> Any:
            return {"secret": 1}

    async with client(application(declare, plain=plain)) as caller:
        answer = await caller.get("/seat")

    assert (answer.status_code, "secret" in answer.text) == (500, False)


@BOTH_WAYS
async def test_an_answer_without_a_model_is_json_and_a_response_class_is_used(plain: bool) -> None:
    def declare(app: Usher) -> None:
        @app.get("/api/v1/json", response_model=None)
        async def json() -> Any:
            return {"seats": [1, 2]}

        @app.get("/api/v1/html", response_class=HTMLResponse)
        async def html() -> Any:
            return "<p>A1</p>"

        @app.get("/api/v1/stream")
        async def stream() -> StreamingResponse:
            async def parts() -> AsyncIterator[bytes]:
                yield b"A"
                yield b"1"

            return StreamingResponse(parts())

        @app.delete("/api/v1/seat", status_code=204)
        async def remove() -> None:
            return None

    async with client(application(declare, plain=plain)) as caller:
        assert (await caller.get("/json")).json() == {"seats": [1, 2]}
        page = await caller.get("/html")
        assert (page.text, page.headers["content-type"]) == ("<p>A1</p>", "text/html; charset=utf-8")
        assert (await caller.get("/stream")).text == "A1"
        gone = await caller.delete("/seat")
        assert (gone.status_code, gone.content) == (204, b"")


@BOTH_WAYS
async def test_a_background_task_of_a_response_is_run(plain: bool) -> None:
    def declare(app: Usher) -> None:
        @app.get("/api/v1/later")
        async def later() -> PlainTextResponse:
            return PlainTextResponse("soon", background=BackgroundTask(guard))

    async with client(application(declare, plain=plain)) as caller:
        assert (await caller.get("/later")).text == "soon"
    assert happened == ["guard"]


@BOTH_WAYS
async def test_a_handler_may_read_the_request_by_itself(plain: bool) -> None:
    def declare(app: Usher) -> None:
        app.router.route_class = ApiRoute

        @app.post("/api/v1/echo")
        async def echo(request: Request, x_words: Annotated[str, Header()]) -> dict[str, Any]:
            return {"bytes": len(await request.body()), "json": await request.json(), "header": x_words}

    async with client(application(declare, plain=plain)) as caller:
        answer = await caller.post("/echo", json={"a": 1}, headers={"x-words": "here"})

    assert answer.json() == {"bytes": 7, "json": {"a": 1}, "header": "here"}


@BOTH_WAYS
async def test_a_body_has_the_size_that_its_route_declares(plain: bool) -> None:
    def declare(app: Usher) -> None:
        app.router.route_class = ApiRoute

        @app.post("/api/v1/small", max_body_size=20)
        async def small(wanted: Wanted) -> Seat:
            return Seat(label=wanted.label)

        @app.post("/api/v1/large", max_body_size=200_000)
        async def large(wanted: Wanted) -> Seat:
            return Seat(label=wanted.label)

    async with client(application(declare, plain=plain)) as caller:
        assert (await caller.post("/small", json={"label": "A1"})).status_code == 200
        assert (await caller.post("/small", json={"label": "A1" * 20})).status_code == 413
        assert (await caller.post("/large", json={"label": "A1" * 50_000})).status_code == 200


@BOTH_WAYS
async def test_dependencies_can_be_overridden_before_and_while_it_serves(plain: bool) -> None:
    async def who() -> str:
        return "somebody"

    def declare(app: Usher) -> None:
        app.router.route_class = ApiRoute

        @app.get("/api/v1/who")
        async def show(name: Annotated[str, Depends(who)]) -> dict[str, str]:
            return {"name": name}

    app = application(declare, plain=plain)
    async with client(app) as caller:
        assert (await caller.get("/who")).json() == {"name": "somebody"}
        app.dependency_overrides[who] = lambda: "a test"
        assert (await caller.get("/who")).json() == {"name": "a test"}
        app.dependency_overrides.clear()
        assert (await caller.get("/who")).json() == {"name": "somebody"}


@BOTH_WAYS
async def test_handlers_of_exceptions_and_statuses_are_asked(plain: bool) -> None:
    class OutOfTickets(NotFound):
        """A refusal of somebody's own."""

    async def of_refusals(_: Request, refusal: NotFound) -> Response:
        return PlainTextResponse(f"no {refusal.what}", 404)

    def of_teapots(_: Request, error: HTTPException) -> Response:
        return PlainTextResponse("tea", error.status_code)

    def declare(app: Usher) -> None:
        app.add_exception_handler(NotFound, of_refusals)  # type: ignore[arg-type]
        app.add_exception_handler(418, of_teapots)  # type: ignore[arg-type]

        @app.get("/api/v1/ticket")
        async def ticket() -> None:
            raise OutOfTickets("ticket")

        @app.get("/api/v1/tea")
        async def tea() -> None:
            raise HTTPException(418)

        @app.get("/api/v1/other")
        async def other() -> None:
            raise HTTPException(409, "no handler")

    async with client(application(declare, plain=plain)) as caller:
        assert (await caller.get("/ticket")).text == "no ticket"
        assert (await caller.get("/tea")).text == "tea"
        assert (await caller.get("/other")).headers["content-type"] == "application/problem+json"


@BOTH_WAYS
async def test_middleware_and_mounted_applications_are_there(plain: bool) -> None:
    def declare(app: Usher) -> None:
        @app.middleware("http")
        async def mark(request: Request, call_next: Any) -> Response:
            answer: Response = await call_next(request)
            answer.headers["x-mark"] = "here"
            return answer

        async def mounted(request: Request) -> Response:
            return PlainTextResponse(f"{len(await request.body())} bytes")

        inner = Starlette()
        inner.add_route("/", mounted, methods=["POST"])
        app.mount("/api/v1/mounted", inner)

    async with client(application(declare, plain=plain)) as caller:
        answer = await caller.post("/api/v1/mounted/", content=b"1234")

    assert (answer.text, answer.headers["x-mark"]) == ("4 bytes", "here")


# --- what is refused at the start ------------------------------------------------------------------------------------


async def yielding() -> AsyncIterator[int]:
    """A dependency with something to close."""
    yield 1


async def scoped(scopes: SecurityScopes) -> str:
    """A dependency that wants to know its scopes."""
    return scopes.scope_str


async def bounded() -> int:
    """A dependency for few at a time."""
    return 1


async def with_a_body(wanted: Wanted) -> Wanted:
    """A dependency that reads the body."""
    return wanted


class Elsewhere(APIRoute):
    """A route that handles requests in its own way."""

    def get_route_handler(self) -> Any:
        return super().get_route_handler()


def _yields(value: Annotated[int, Depends(yielding)]) -> None: ...
def _security_scopes(value: Annotated[str, Security(scoped, scopes=["read"])]) -> None: ...
def _scopes_alone(value: Annotated[int, Security(bounded, scopes=["read"])]) -> None: ...
def _response(response: Response) -> None: ...
def _background(tasks: BackgroundTasks) -> None: ...
def _cookie(session: Annotated[str, Cookie()]) -> None: ...
def _form(label: Annotated[str, Form()]) -> None: ...
def _file(plan: Annotated[bytes, File()]) -> None: ...
def _two_bodies(one: Wanted, other: Wanted) -> None: ...
def _body_in_a_dependency(value: Annotated[Wanted, Depends(with_a_body)]) -> None: ...
def _query_model(page: Annotated[Seat, Query()]) -> None: ...
def _header_model(page: Annotated[Seat, Header()]) -> None: ...
def _list(ids: Annotated[list[int], Query()]) -> None: ...
def _concurrency(value: Annotated[int, Depends(bounded, max_concurrency=1)]) -> None: ...


async def _generator() -> AsyncIterator[Seat]:
    yield Seat(label="A1")


REFUSED: dict[str, tuple[Callable[..., Any], dict[str, Any], str]] = {
    "a dependency that yields": (_yields, {}, "Return the value"),
    "SecurityScopes": (_security_scopes, {}, "@api_key_scope"),
    "scopes that nobody reads": (_scopes_alone, {}, "@api_key_scope"),
    "a Response that is passed in": (_response, {}, "Return a Reply"),
    "BackgroundTasks": (_background, {}, "background task"),
    "a cookie": (_cookie, {}, "send a header"),
    "a form": (_form, {}, "TAKES_FORM"),
    "a file": (_file, {}, "TAKES_FORM"),
    "a body of two parts": (_two_bodies, {}, "one model"),
    "a body in a dependency": (_body_in_a_dependency, {}, "Only the operation itself"),
    "a query model": (_query_model, {}, "one parameter for each"),
    "a header model": (_header_model, {}, "one parameter for each"),
    "a list in the query": (_list, {}, "split it"),
    "max_concurrency": (_concurrency, {}, "Bound it in the service"),
    "a generator": (_generator, {}, "StreamingResponse"),
    "strict_content_type=False": (with_a_body, {"strict_content_type": False}, "Leave it out"),
    "a route class of its own": (guard, {"route_class_override": Elsewhere}, "Write a dependency"),
}


@pytest.mark.parametrize("feature", REFUSED)
async def test_what_cannot_be_done_is_refused_at_the_start(feature: str) -> None:
    operation, options, remedy = REFUSED[feature]

    def declare(app: Usher) -> None:
        strict = options.get("strict_content_type", True)
        router = APIRouter(strict_content_type=strict, route_class=options.get("route_class_override", APIRoute))
        router.add_api_route("/api/v1/feature", operation, methods=["POST"])
        app.include_router(router)

    with pytest.raises(TypeError) as refused:
        application(declare).build_middleware_stack()

    told = str(refused.value)
    assert told.startswith("POST /api/v1/feature: ")
    assert remedy in told
    assert "USHER_PLAIN=on" in told
    application(declare, plain=True).build_middleware_stack()


def test_a_path_that_the_table_does_not_know_is_refused_at_the_start() -> None:
    def declare(app: Usher) -> None:
        app.add_api_route("/api/v1/files/{name:path}", guard)

    with pytest.raises(TypeError, match="files"):
        application(declare).build_middleware_stack()


async def _asks_who(caller: Caller) -> None:
    """An operation with a token and no scope."""


@api_key_scope(KeyScope.READ)
async def _asks_nobody() -> None:
    """An operation with a scope and no token."""


@pytest.mark.parametrize("operation", [_asks_who, _asks_nobody])
@BOTH_WAYS
def test_a_token_and_a_scope_come_together(operation: Callable[..., Any], plain: bool) -> None:
    def declare(app: Usher) -> None:
        app.add_api_route("/api/v1/feature", operation)

    with pytest.raises(TypeError, match="api_key_scope"):
        application(declare, plain=plain).build_middleware_stack()


def test_usher_is_a_fastapi_application() -> None:
    assert isinstance(application(lambda _: None), FastAPI)
