"""What a process has open while it serves: made by `main`, used by routers and dependencies."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from app.adapters.dummy_payments import DummyPayments
from app.adapters.prometheus import Figures
from app.adapters.redis_cache import RedisCache
from app.db.heartbeat import Heartbeat
from app.request_log import RequestLog
from app.services.bookings import Bookings
from app.services.box_office.addresses import Addresses
from app.services.box_office.office import BoxOffice
from app.services.callers.proxies import Proxies
from app.services.callers.rates import Rates
from app.services.cashier import Cashier
from app.services.closing import Closing
from app.services.connections import Connections
from app.services.desk import Desk
from app.services.health import Health
from app.services.house.catalogue import Catalogue
from app.services.house.history import History
from app.services.house.layout_texts import LayoutTexts
from app.services.house.organizing import Organizing
from app.services.house.reports import Reports
from app.services.layouts import Layouts
from app.services.live.changes import ChangesFeed
from app.services.live.live import Live
from app.services.money.finisher import Finisher
from app.services.money.refunds import Refunds
from app.services.payments import Payments
from app.services.people.accounts import Accounts
from app.services.people.api_keys import ApiKeys
from app.services.people.customers import Customers
from app.services.people.passwords import Passwords
from app.services.people.people import People
from app.services.people.revocations import Revocations
from app.services.people.sessions import Sessions
from app.services.people.tokens import Tokens
from app.services.ports import Tracing
from app.services.reservations import Reservations
from app.services.running.measures import Measures
from app.services.seat_maps.announcer import Announcer
from app.services.seat_maps.availability import Availability
from app.services.seat_maps.reconciler import Reconciler
from app.services.sweeper import Sweeper
from app.services.transfers import Transfers
from app.settings import Settings


@dataclass(slots=True)
class Resources:
    """Opened when the process starts, closed when it stops."""

    settings: Settings
    engine: AsyncEngine
    tokens: Tokens
    revocations: Revocations
    passwords: Passwords
    sessions: Sessions
    people: People
    accounts: Accounts
    api_keys: ApiKeys
    customers: Customers
    health: Health
    layouts: Layouts
    layout_texts: LayoutTexts
    catalogue: Catalogue
    cache: RedisCache
    availability: Availability
    heartbeat: Heartbeat
    box_office: BoxOffice
    announcer: Announcer
    reconciler: Reconciler
    sweeper: Sweeper
    desk: Desk
    reservations: Reservations
    bookings: Bookings
    changes: ChangesFeed
    closing: Closing
    cashier: Cashier
    finisher: Finisher
    refunds: Refunds
    payments: Payments
    transfers: Transfers
    dummy: DummyPayments
    history: History
    organizing: Organizing
    reports: Reports
    rates: Rates | None
    addresses: Addresses | None
    live: Live
    measures: Measures
    figures: Figures
    connections: Connections
    proxies: Proxies
    request_log: RequestLog | None
    tracing: Tracing | None
