"""Builds the application: opens what it needs, starts the background loops, mounts the routers. Begin reading here."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI
from fastapi.exception_handlers import http_exception_handler, request_validation_exception_handler
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.types import ASGIApp, Receive, Scope, Send

from app import __version__, logs
from app.adapters.dummy_payments import DummyPayments, webhook_secret_from
from app.adapters.login_tries import RedisLoginTries
from app.adapters.prometheus import Figures
from app.adapters.rate_counter import RedisRateCounter
from app.adapters.redis_cache import RedisCache
from app.adapters.redis_feed import RedisFeed
from app.adapters.redis_servers import Names
from app.db.cluster import nodes
from app.db.connections import connection_counts, must_be_durable, open_engine
from app.db.errors import refusal_for
from app.db.fitness import installation, is_read_only, must_be_fit
from app.db.heartbeat import Heartbeat, wait_for_postgresql
from app.db.house.revision import revision_and_fitness, revisions
from app.db.screenings import Defaults
from app.domain.people.rates import Bucket, Policy
from app.http import openapi
from app.http.cors import Cors
from app.http.edge import Edge
from app.http.runner.routes import operation_id
from app.request_log import RequestLog
from app.resources import Resources
from app.routers import (
    api_keys,
    blocks,
    bookings,
    exchanges,
    existing_clients,
    health,
    payments,
    people,
    reservations,
    screenings,
    seats,
    theaters,
    transfers,
)
from app.routers.live import live, sockets
from app.routers.pages import buyers
from app.routers.reference import asyncapi, docs, problems
from app.schemas.house.layout_files import LayoutFormat
from app.schemas.imports import LayoutFile
from app.services.bookings import Bookings
from app.services.box_office.addresses import Addresses
from app.services.box_office.office import BoxOffice
from app.services.box_office.opening import Opening
from app.services.box_office.queue import LINGER_SECONDS
from app.services.callers.proxies import Proxies
from app.services.callers.rates import Rates
from app.services.cashier import Cashier
from app.services.closing import Closing
from app.services.connections import Connections
from app.services.desk import Desk
from app.services.health import Database, Health, Office
from app.services.house.catalogue import Catalogue
from app.services.house.history import History
from app.services.house.importing import import_layout
from app.services.house.layout_texts import LayoutTexts, layout_file
from app.services.house.organizing import Organizing
from app.services.house.reports import Reports
from app.services.layouts import Layouts
from app.services.live.changes import ChangesFeed
from app.services.live.listener_limits import ListenerLimits
from app.services.live.live import Live
from app.services.money.asking import Asking
from app.services.money.finisher import Finisher
from app.services.money.provider import PaymentProvider
from app.services.money.refunds import Refunds
from app.services.payments import Payments
from app.services.people.accounts import Accounts
from app.services.people.api_keys import ApiKeys
from app.services.people.customers import Customers
from app.services.people.joining import Joining
from app.services.people.login_limits import LoginLimits
from app.services.people.passwords import Passwords
from app.services.people.people import People
from app.services.people.revocations import Revocations
from app.services.people.sessions import Sessions
from app.services.people.tokens import Tokens
from app.services.pictures import Pictures
from app.services.reservations import Reservations
from app.services.running.loops import Loop, for_good, running
from app.services.running.measures import Measures
from app.services.seat_maps.announcer import Announcer
from app.services.seat_maps.availability import Availability
from app.services.seat_maps.clock import Clock
from app.services.seat_maps.reconciler import Reconciler
from app.services.sweeper import Sweeper
from app.services.transfers import Codes, Transfers
from app.settings import (
    LONGEST_ACCESS_TOKEN_SECONDS,
    LONGEST_GUEST_TOKEN_SECONDS,
    Settings,
    settings_or_exit,
)

if TYPE_CHECKING:
    from app.adapters.tracing import OpenTelemetry

ROUTERS: Final = (
    theaters.router,
    screenings.router,
    seats.router,
    live.router,
    sockets.router,
    blocks.router,
    reservations.router,
    bookings.router,
    exchanges.router,
    payments.router,
    payments.pages,
    transfers.router,
    people.router,
    api_keys.router,
    health.router,
    problems.router,
    docs.router,
    asyncapi.router,
    buyers.router,
    existing_clients.router,
)

EXPOSED: Final = (
    "ETag",
    "Location",
    "Link",
    "Retry-After",
    "RateLimit",
    "RateLimit-Policy",
    "Idempotent-Replayed",
    "X-Request-ID",
)
"""The headers that scripts of other origins may read (CORS)."""

_FASTAPIS_HANDLERS: Final = (http_exception_handler, request_validation_exception_handler)
"""What FastAPI does with these errors by itself; here they are problems like all others."""

_DESCRIPTION: Final = """
Usher reserves theater seats: **a seat of a screening is sold once**, whatever crashes, retries or races.

Hold seats for a few minutes, then book them. No account is needed: a first hold answers with a `guest_token`; send it
as a bearer token from then on. Calls that change seats, or create theaters and screenings, can be retried safely with
an `Idempotency-Key`.
Every error is an RFC 9457 problem, with a `code` for programs and a `detail` for people.

Changes of seats are sent live: as Server-Sent Events, see below, and by the WebSocket `/ws/screenings/{screening_id}`.
Its messages and close codes are in [/asyncapi.json](/asyncapi.json).
"""


class Usher(FastAPI):
    """FastAPI with one layer around its router, the edge, and a document that says what all operations share."""

    def __init__(self, *, plain: bool = False, **options: Any) -> None:
        """`plain`: FastAPI runs every operation by its own routing (USHER_PLAIN)."""
        super().__init__(**options)
        self._plain = plain

    @cached_property
    def _is_observed(self) -> bool:
        """Was OpenTelemetry set up? FastAPI asks the environment before each request, here it is asked at the first."""
        return self._native_telemetry.enabled()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.middleware_stack is None or scope["type"] == "lifespan" or self._is_observed:
            await super().__call__(scope, receive, send)
        else:
            scope["app"] = self
            await self.middleware_stack(scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        """The edge alone does what FastAPI's seven layers do; those that were added by hand go around it."""
        added = {
            kind: handler for kind, handler in self.exception_handlers.items() if handler not in _FASTAPIS_HANDLERS
        }
        app: ASGIApp = Edge(
            AsyncExitStackMiddleware(self.router),
            self.routes,
            refusal_for,
            plain=self._plain,
            overrides=self.dependency_overrides,
            handlers=added,
        )
        for layer, arguments, options in reversed(self.user_middleware):
            app = layer(app, *arguments, **options)
        return app

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, made once."""
        if self.openapi_schema is None:
            self.openapi_schema = openapi.finish(self, super().openapi())
        return self.openapi_schema


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application. Settings come from the environment, unless they are given."""
    settings = settings or settings_or_exit()
    app = Usher(
        plain=settings.usher_plain,
        title="Usher",
        summary="Seat reservations for theaters.",
        description=_DESCRIPTION,
        version=__version__,
        license_info={"name": "MIT", "identifier": "MIT"},
        contact={"name": "The Usher authors"},
        servers=[{"url": "/", "description": "This service."}],
        openapi_tags=openapi.TAGS,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=operation_id,
        lifespan=_lifespan,
    )
    app.state.settings = settings
    for router in ROUTERS:
        app.include_router(router)
    if settings.cors_origins:
        app.add_middleware(
            Cors,
            allow_origins=settings.cors_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=EXPOSED,
        )
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    """Opens everything before the first request, and closes it in reverse order after the last."""
    settings: Settings = app.state.settings
    logs.set_up(settings)
    await wait_for_postgresql(settings)
    async with AsyncExitStack() as stack:
        app.state.resources = await _open(settings, stack)
        async with running([for_good(loop) for loop in _loops(app.state.resources)]):
            # The server calls this when it is told to stop: streams end only when they are told to.
            resources: Resources = app.state.resources
            yield {
                "stopping": resources.live.stop,
                "connections": resources.connections,
                "request_log": resources.request_log,
            }


async def sweep_once(settings: Settings) -> int:
    """Expire all holds that have run out, and delete old keys and events. Returns how many holds there were."""
    async with AsyncExitStack() as stack:
        resources = await _open(settings, stack)
        async with running([resources.box_office.run(), resources.announcer.run()]):
            count = await resources.sweeper.sweep()
            await resources.sweeper.tidy()
    return count


async def import_once(
    settings: Settings, file: LayoutFile, theater_id: int | None, name: str | None, timezone: str | None
) -> tuple[int, int]:
    """Import a layout as `import_layout` does, and announce it to all processes."""
    async with AsyncExitStack() as stack:
        resources = await _open(settings, stack)
        async with running([resources.announcer.run()]):
            what = (theater_id, name, timezone)
            imported = await import_layout(resources.organizing, resources.catalogue, file, *what)
    return imported


async def export_once(settings: Settings, theater_id: int, file_format: LayoutFormat) -> bytes:
    """The layout of a theater as a file. Raises NotFound."""
    async with AsyncExitStack() as stack:
        catalogue = (await _open(settings, stack)).catalogue
        theater, layout = await catalogue.theater(theater_id), await catalogue.layout(theater_id)
    return layout_file(layout, file_format, theater.name).content


def _loops(resources: Resources) -> Sequence[Loop]:
    """What runs in the background while the process serves."""
    loops: list[Loop] = [
        resources.heartbeat.run,
        resources.box_office.run,
        resources.announcer.run,
        resources.reconciler.run,
        resources.live.run,
        resources.revocations.run,
        resources.figures.run,
    ]
    if not resources.settings.sweep:
        return loops
    return [
        *loops,
        resources.sweeper.run,
        resources.sweeper.keep_tidy,
        resources.finisher.run,
        resources.refunds.run,
        resources.refunds.watch,
        partial(resources.dummy.run, resources.cashier.hear_dummy),
    ]


async def _nodes(engine: AsyncEngine) -> Mapping[str, bool]:
    """Which nodes PostgreSQL has, if it has many, and which of them answer."""
    return {str(node.address): node.settings is not None for node in await nodes.ask_all(engine)}


async def _database(engine: AsyncEngine) -> Database:
    return Database(*await revision_and_fitness(engine))


async def _office(box_office: BoxOffice) -> Office:
    return Office(is_read_only(await box_office.connected()))


def _stripe(settings: Settings, stack: AsyncExitStack) -> Mapping[str, PaymentProvider]:
    """Stripe by its name, if its keys are set: what was paid there goes on after another provider is chosen."""
    if settings.stripe_api_key is None or settings.stripe_webhook_secret is None:
        return {}
    from app.adapters.stripe_payments import StripePayments  # large, and an extra

    stripe = StripePayments(
        settings.stripe_api_key,
        settings.stripe_webhook_secret,
        return_url=settings.stripe_return_url,
        api_base=settings.stripe_api_base,
    )
    stack.push_async_callback(stripe.close)
    return {stripe.name: stripe}


def _tracing(settings: Settings, stack: AsyncExitStack) -> "OpenTelemetry | None":
    """Who traces; None without an endpoint."""
    if settings.traces_endpoint is None:
        return None
    from app.adapters.tracing import OpenTelemetry  # large, and an extra

    tracing = OpenTelemetry(settings.traces_endpoint)
    stack.push_async_callback(tracing.close)
    return tracing


def _request_log(settings: Settings, stack: AsyncExitStack) -> RequestLog | None:
    """Who writes a line for each request; None if nobody would see it."""
    if not (settings.log_requests and RequestLog.is_wanted()):
        return None
    request_log = RequestLog()
    stack.callback(request_log.write)
    return request_log


def _rates(settings: Settings, names: Names, stack: AsyncExitStack, tracing: "OpenTelemetry | None") -> Rates | None:
    """The rate limits; None when they are off."""
    if not settings.rate_limits:
        return None
    allowed = {
        Bucket.LOGIN: settings.rate_login,
        Bucket.READING: settings.rate_reading,
        Bucket.TAKING: settings.rate_taking,
    }
    policies = {bucket: Policy(bucket, amount, seconds) for bucket, (amount, seconds) in allowed.items()}
    rate_counter = RedisRateCounter(settings.redis_url or "", settings.redis_timeout_seconds, names)
    stack.push_async_callback(rate_counter.close)
    if tracing is not None:
        tracing.watch_redis(rate_counter.client)
    return Rates(rate_counter, policies)


def _login_limits(
    settings: Settings, names: Names, stack: AsyncExitStack, tracing: "OpenTelemetry | None"
) -> LoginLimits | None:
    """The limits of passwords; None when they are off."""
    if not settings.rate_limits:
        return None
    tries = RedisLoginTries(settings.redis_url or "", settings.redis_timeout_seconds, names)
    stack.push_async_callback(tries.close)
    if tracing is not None:
        tracing.watch_redis(tries.client)
    return LoginLimits(tries, Policy(Bucket.LOGIN, *settings.rate_login))


def _connections(settings: Settings, proxies: Proxies) -> Connections:
    per_address = settings.connections_per_address if settings.rate_limits else None
    return Connections(per_address, settings.connections_per_process, proxies.connection_of)


def _live(
    settings: Settings, names: Names, engine: AsyncEngine, layouts: Layouts, stack: AsyncExitStack, measures: Measures
) -> Live:
    feed = RedisFeed(settings.redis_url or "", names)
    stack.push_async_callback(feed.close)
    per_address = settings.live_per_address if settings.rate_limits else None
    return Live(engine, layouts, feed, ListenerLimits(per_address, settings.live_per_process), measures)


async def _open(settings: Settings, stack: AsyncExitStack) -> Resources:
    """Everything that requests need. The stack closes what is opened here."""
    request_log, tracing = _request_log(settings, stack), _tracing(settings, stack)
    engine = open_engine(settings)
    measures = Measures()
    measures.watch("usher_database_connections", partial(connection_counts, engine))
    stack.push_async_callback(engine.dispose)
    heartbeat = Heartbeat(settings, engine, None if tracing is None else tracing.watch_connection)
    await must_be_durable(engine)
    await must_be_fit(engine)
    names = Names(settings.redis_prefix, await installation(engine))
    cache = RedisCache(settings.redis_url or "", settings.redis_timeout_seconds, names)
    stack.push_async_callback(cache.close)
    if tracing is not None:
        tracing.watch_engine(engine)
        tracing.watch_redis(cache.client)
    defaults = Defaults.of(settings)
    revocations = Revocations(
        engine,
        longest_seconds=max(LONGEST_GUEST_TOKEN_SECONDS, LONGEST_ACCESS_TOKEN_SECONDS),
        session_token_seconds=LONGEST_ACCESS_TOKEN_SECONDS,
    )
    await revocations.look()
    tokens = Tokens(
        settings.jwt_secret or "",
        previous=settings.jwt_secret_previous,
        guest_seconds=settings.guest_token_seconds,
        access_seconds=settings.access_token_seconds,
        is_over=revocations.is_over,
    )
    passwords = Passwords(settings.password_queue_max)
    stack.callback(passwords.close)
    sessions = Sessions(engine, tokens, revocations, settings.refresh_token_seconds)
    people = People(engine, sessions, defaults, guests_first=settings.batch_per_screening)
    layouts = Layouts(engine)
    pictures = Pictures()
    catalogue = Catalogue(engine, layouts, defaults)
    clock = Clock()
    availability = Availability(engine, cache, layouts, clock, measures=measures)
    reconciler = Reconciler(engine, cache, clock, settings.reconcile_seconds)
    announcer = Announcer(cache, reconciler.warn, availability.take_in, tracing)
    box_office = BoxOffice(
        heartbeat.office_connection,
        Opening(layouts, defaults, pictures, per_screening=settings.batch_per_screening),
        announcer.announce,
        batch_max=settings.batch_max,
        queue_max=settings.queue_max,
        deadline_seconds=settings.command_deadline_seconds,
        one_screening_a_batch=settings.batch_per_screening or settings.office_connections > 1,
        linger_seconds=LINGER_SECONDS if settings.web_concurrency > 1 and settings.office_connections == 1 else 0.0,
        clerks=settings.office_connections,
        measures=measures,
        tracing=tracing,
    )
    proxies = Proxies(settings.trusted_proxies)
    port = settings.metrics_port
    connections = _connections(settings, proxies)
    measures.watch("usher_connections", lambda: [((), float(connections.open))])
    figures = Figures(measures, settings.metrics_directory, None if port is None else (settings.host, port))
    dummy = DummyPayments(engine, settings.dummy_webhook_secret or webhook_secret_from(settings.jwt_secret or ""))
    asking = Asking({dummy.name: dummy, **_stripe(settings, stack)}, settings.payment_wait_seconds)
    refunds = Refunds(engine, asking, measures)
    cashier = Cashier(
        engine,
        box_office,
        asking,
        refunds,
        asking.provider(settings.payment_provider),
        wait_seconds=settings.payment_wait_seconds,
        deadline_seconds=settings.payment_deadline_seconds,
        measures=measures,
    )
    closing = Closing(engine, box_office, announcer, refunds.wake)
    desk = Desk(engine, box_office, availability, catalogue, people, tokens, cashier, defaults, pictures)
    codes = Codes(settings.jwt_secret or "", settings.jwt_secret_previous)
    return Resources(
        settings=settings,
        engine=engine,
        tokens=tokens,
        revocations=revocations,
        passwords=passwords,
        sessions=sessions,
        people=people,
        accounts=Accounts(
            engine,
            passwords,
            sessions,
            revocations,
            box_office,
            Joining(engine, tokens, revocations, announcer.tell),
            _login_limits(settings, names, stack, tracing),
        ),
        api_keys=ApiKeys(engine, revocations),
        customers=Customers(engine),
        health=Health(
            partial(_database, engine),
            partial(_office, box_office),
            *await asyncio.to_thread(revisions),
            cache.state,
            partial(_nodes, engine),
        ),
        layouts=layouts,
        layout_texts=LayoutTexts(),
        catalogue=catalogue,
        cache=cache,
        availability=availability,
        heartbeat=heartbeat,
        box_office=box_office,
        announcer=announcer,
        reconciler=reconciler,
        sweeper=Sweeper(
            engine,
            box_office,
            closing,
            settings.idempotency_hours,
            settings.event_hours,
            settings.reservation_timeout,
            measures,
        ),
        desk=desk,
        transfers=Transfers(engine, box_office, desk, catalogue, codes),
        cashier=cashier,
        finisher=Finisher(engine, asking, cashier.settle),
        refunds=refunds,
        payments=Payments(engine),
        dummy=dummy,
        reservations=Reservations(engine, layouts, defaults),
        bookings=Bookings(engine, layouts, defaults),
        changes=ChangesFeed(engine, layouts),
        closing=closing,
        history=History(engine, catalogue, layouts),
        organizing=Organizing(engine, catalogue, announcer, defaults),
        reports=Reports(engine, catalogue, layouts),
        rates=_rates(settings, names, stack, tracing),
        addresses=(
            Addresses(settings.jwt_secret or "", settings.anonymous_holds_per_address) if settings.rate_limits else None
        ),
        live=_live(settings, names, engine, layouts, stack, measures),
        connections=connections,
        proxies=proxies,
        request_log=request_log,
        tracing=tracing,
        measures=measures,
        figures=figures,
    )
