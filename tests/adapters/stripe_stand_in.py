"""A small server that speaks as much of Stripe's API as Usher uses: its books (stripe_books.py) over HTTP.

Idempotency keys are Stripe's: the answer is kept and told again, also a 500; other parameters are an error, and so is
a second request while the first one is under way. Events are signed as Stripe signs them. What goes wrong on the way
is asked for beforehand, request by request: `fails("confirm", RESET_AFTER)`.
"""

import asyncio
import hashlib
import hmac
import json
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import parse_qsl, urlsplit

from tests.adapters.stripe_books import Books, Json, Refused, error

API_KEY: Final = "sk_test_51StandInKey"
WEBHOOK_SECRET: Final = "whsec_StandInSecret"

_MAY_BE_SENT: Final = {
    "create": {"amount", "currency", "automatic_payment_methods", "description", "metadata", "expand"},
    "confirm": {"payment_method", "confirmation_token", "return_url", "expand"},
    "cancel": {"cancellation_reason", "expand"},
    "retrieve": {"expand"},
    "list": {"created", "limit", "starting_after"},
    "search": {"query", "limit", "page"},
    "refund": {"payment_intent", "amount", "metadata", "reason"},
    "refunds": {"payment_intent", "limit", "starting_after"},
}


@dataclass(frozen=True)
class Fault:
    """What happens to a request: it is carried out or not, and answered like this, or hangs, or is cut off."""

    status: int | None = None
    body: Json = field(default_factory=dict)
    is_carried_out: bool = False
    hangs: bool = False


RESET_BEFORE, RESET_AFTER = Fault(), Fault(is_carried_out=True)
HANGS_BEFORE, HANGS_AFTER = Fault(hangs=True), Fault(hangs=True, is_carried_out=True)
BROKEN = Fault(500, error("api_error", message="An unknown error occurred"))
BROKEN_AFTER = Fault(500, BROKEN.body, is_carried_out=True)
TOO_MANY = Fault(429, error("invalid_request_error", "rate_limit", "Too many requests hit the API too quickly."))
LOCKED = Fault(429, error("invalid_request_error", "lock_timeout", "This object cannot be accessed right now."))
FORBIDDEN = Fault(403, error("invalid_request_error", "more_permissions_required_for_application"))
NOT_JSON = Fault(502, {})


@dataclass(frozen=True)
class Request:
    """A request as it came."""

    name: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]


class StripeStandIn:
    """The server, what was asked of it, and what will go wrong. `url` is for STRIPE_API_BASE."""

    def __init__(self) -> None:
        self.url = ""
        self.books = Books()
        self.requests: list[Request] = []
        self.go_on = asyncio.Event()
        self.is_hanging = asyncio.Event()
        self._faults: dict[str, deque[Fault]] = defaultdict(deque)
        self._kept: dict[str, tuple[tuple[str, Json], int, Json]] = {}
        self._in_progress: set[str] = set()

    def fails(self, name: str, *faults: Fault) -> None:
        """So the next requests of this name go wrong, one after another."""
        self._faults[name].extend(faults)

    def forgets_keys(self) -> None:
        """More than 24 hours later."""
        self._kept.clear()

    def asked(self, name: str) -> list[Request]:
        """The requests of this name so far."""
        return [request for request in self.requests if request.name == name]

    def event(self, kind: str, about: Json) -> bytes:
        """The body of an event about an object."""
        event = {
            "id": f"evt_{next(self.books.numbers)}", "object": "event", "api_version": "2026-10-28.endive",
            "created": int(time.time()), "data": {"object": about}, "livemode": False, "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None}, "type": kind,
        }  # fmt: skip
        return json.dumps(event, indent=2).encode()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Self]:
        """Listen on a free port of the loopback."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            self.go_on.set()
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not reader.at_eof():
                await self._answer_one(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = (await reader.readexactly(int(headers.get("content-length", "0")))).decode()
        split = urlsplit(target)
        params = dict(parse_qsl(body or split.query))
        name, carry_out = self._route(method, split.path)
        self.requests.append(Request(name, split.path, params, headers))
        fault = self._faults[name].popleft() if self._faults[name] else None
        key = headers["idempotency-key"] if method == "POST" else None
        if key in self._in_progress:
            busy = error("invalid_request_error", "idempotency_key_in_use", "Another request uses this key right now.")
            return await _send(writer, 409, busy)
        if key is not None and fault is not None and fault.hangs:
            self._in_progress.add(key)
        answer = None
        if fault is None or fault.is_carried_out:
            answer = self._once(key, (split.path, params), headers, name, params, carry_out, fault)
        elif fault.status == 500 and key is not None:
            self._kept[key] = ((split.path, params), fault.status, fault.body)
        if fault is not None and fault.hangs:
            self.is_hanging.set()
            await self.go_on.wait()
            self._in_progress.discard(key or "")
        if fault is not None and fault.status is None:
            writer.transport.abort()
            raise ConnectionResetError
        if fault is not None and fault.status is not None:
            return await _send(writer, fault.status, fault.body)
        assert answer is not None
        return await _send(writer, *answer)

    def _route(self, method: str, path: str) -> tuple[str, Callable[[dict[str, str]], Json]]:
        parts = path.removeprefix("/v1/").split("/")
        match (method, *parts):
            case ("POST", "payment_intents"):
                return "create", self.books.create
            case ("GET", "payment_intents"):
                return "list", self.books.list
            case ("GET", "payment_intents", "search"):
                return "search", self.books.search
            case ("GET", "payment_intents", intent_id):
                return "retrieve", lambda params: self.books.retrieve(params, intent_id)
            case ("POST", "payment_intents", intent_id, "confirm"):
                return "confirm", lambda params: self.books.confirm(params, intent_id)
            case ("POST", "payment_intents", intent_id, "cancel"):
                return "cancel", lambda params: self.books.cancel(params, intent_id)
            case ("POST", "refunds"):
                return "refund", self.books.refund
            case ("GET", "refunds"):
                return "refunds", self.books.list_refunds
        raise AssertionError(f"{method} {path} is not spoken here")

    def _once(
        self,
        key: str | None,
        meant: tuple[str, Json],
        headers: dict[str, str],
        name: str,
        params: dict[str, str],
        carry_out: Callable[[dict[str, str]], Json],
        fault: Fault | None,
    ) -> tuple[int, Json, bool]:
        """The answer, whether it is one from before. What fails before the work begins is not kept."""
        if headers.get("authorization") != f"Bearer {API_KEY}":
            return 401, error("invalid_request_error", message="Invalid API Key provided: sk_test_*****"), False
        if key is not None and key in self._kept:
            before, status, body = self._kept[key]
            if before != meant:
                said = (
                    "Keys for idempotent requests can only be used with the same parameters they were first used with."
                )
                return 400, error("idempotency_error", message=said), False
            return status, body, True
        if unknown := {param.partition("[")[0] for param in params} - _MAY_BE_SENT[name]:
            return 400, error("invalid_request_error", "parameter_unknown", param=min(unknown)), False
        try:
            status, body = 200, carry_out(params)
        except Refused as refused:
            status, body = refused.status, refused.body
        body = _copy(body, is_expanded=params.get("expand[0]") == "latest_charge")
        if key is not None and not (status == 400 and name == "create"):
            kept = (fault.status, fault.body) if fault is not None and fault.status == 500 else (status, body)
            self._kept[key] = (meant, *kept)
        return status, body, False


async def _send(writer: asyncio.StreamWriter, status: int, body: Json, is_replay: bool = False) -> None:
    content = json.dumps(body).encode() if body else b"<html>Bad Gateway</html>"
    lines = [
        f"HTTP/1.1 {status} Said", "Content-Type: application/json", f"Content-Length: {len(content)}",
        "Request-Id: req_standin", *(["Idempotent-Replayed: true"] if is_replay else []),
    ]  # fmt: skip
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
    await writer.drain()


def _copy(body: Json, *, is_expanded: bool) -> Json:
    """As it is now. Only the id of a charge, unless it was asked for wholly."""

    def shown(thing: Json) -> Json:
        charge = thing.get("latest_charge")
        return thing if is_expanded or charge is None else thing | {"latest_charge": charge["id"]}

    copy: Json = json.loads(json.dumps(body), object_hook=shown)
    return copy


def signature(body: bytes, at: float, secret: str = WEBHOOK_SECRET) -> str:
    """The header Stripe-Signature."""
    signed = hmac.new(secret.encode(), f"{int(at)}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={int(at)},v1={signed},v0={'0' * 64}"
