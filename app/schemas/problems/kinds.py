"""Every kind of problem: status, title, what it means, what to do next (docs/api.md, section 3; RFC 9457)."""

from collections.abc import Mapping
from dataclasses import dataclass
from http.client import responses
from typing import Any

from pydantic import BaseModel, Field

from app.schemas.format.moments import encoded


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem. `GET /problems/<code>` shows `meaning` and `advice`; `code` and `status` never change."""

    code: str
    status: int
    title: str
    meaning: str
    advice: str


class Problem(BaseModel):
    """What went wrong, for programs (`code`) and for people (`detail`). Many kinds have more members."""

    type: str = Field(examples=["/problems/not-found"], description="A page that explains this kind of problem.")
    title: str = Field(examples=["Not found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is no such screening."], description="What happened and what to do next.")
    instance: str = Field(examples=["/api/v1/screenings/999"], description="The path of the request.")
    code: str = Field(examples=["not-found"], description="The kind, for programs.")
    request_id: str = Field(
        examples=["6f1c0d7e5a3b4c2d9e8f7a6b5c4d3e2f"], description="Quote this when asking for help."
    )


def problem_json(
    kind: Kind, detail: str, instance: str, request_id: str, members: Mapping[str, Any] | None = None
) -> bytes:
    """The body of a problem: JSON. `instance` is the path of the request, `members` are what this kind has besides."""
    return encoded(
        {
            "type": f"/problems/{kind.code}",
            "title": kind.title,
            "status": kind.status,
            "detail": detail,
            "instance": instance,
            "code": kind.code,
            "request_id": request_id,
            **(members or {}),
        }
    )


def kind_of_status(status: int) -> Kind:
    """The kind for an error of the framework that has this status."""
    known = {404: "not-found", 405: "method-not-allowed", 413: "payload-too-large", 415: "unsupported-media-type"}
    if code := known.get(status):
        return KINDS[code]
    phrase = responses.get(status, "Problem")
    plain = KINDS["internal" if status >= 500 else "bad-request"]
    return Kind(plain.code, status, phrase, plain.meaning, plain.advice)


KINDS: Mapping[str, Kind] = {
    kind.code: kind
    for kind in (
        Kind(
            "validation",
            422,
            "The request is not valid",
            "The body, the path or the query is malformed, incomplete, or has a member that this call does not know.",
            "Correct each mistake in `errors` (`loc` is its place, `code` its kind), then send the request again.",
        ),
        Kind(
            "unsupported-media-type",
            415,
            "The body is not JSON",
            "A body must be JSON in UTF-8, say so in its Content-Type, and not be compressed.",
            "Send the header Content-Type: application/json. With curl, use --json instead of -d.",
        ),
        Kind(
            "not-found",
            404,
            "Not found",
            "Nothing has this path or id, or it belongs to another user. The answer does not say which.",
            "Check the path and the id. For reservations and bookings, send the token of the user who made them.",
        ),
        Kind(
            "unknown-seats",
            404,
            "No such seat",
            "The theater has no seat with this label or id. `unknown` repeats them as they were sent.",
            "Choose from `available_seats`, or read the whole map: GET /screenings/{id}/seats.",
        ),
        Kind(
            "seats-unavailable",
            409,
            "Seats are not available",
            "A seat is held, booked or blocked. Nothing was changed for any seat of the request.",
            "`seats` says which seats are not available, and why. Choose from `available_seats`, the nearest first.",
        ),
        Kind(
            "reservation-expired",
            409,
            "The hold has expired",
            "The hold expired before it was confirmed or extended. Either the seats in `seats` are gone since, or it "
            "is too late to take it again: then `seats` is empty. Nothing was charged.",
            "Hold seats again. GET /screenings/{id}/seats says which are free.",
        ),
        Kind(
            "price-changed",
            409,
            "The price has changed",
            "The hold expired, and its seats have another price now: `total` is what they cost together. Nothing was "
            "charged.",
            "Hold the seats again to accept the new price.",
        ),
        Kind(
            "reservation-ended",
            409,
            "The reservation has ended",
            "It was released or booked before: see `reservation_status`. `booking_id` is the booking, if there is one; "
            "it may be cancelled.",
            "Hold the seats again if they are still free.",
        ),
        Kind(
            "extension-limit",
            409,
            "The hold cannot be extended further",
            "A hold has a longest duration, counted from its first moment. `latest_expires_at` is when that is over.",
            "Confirm the reservation before then.",
        ),
        Kind(
            "limit-exceeded",
            409,
            "Limit exceeded",
            "`limit` is the name of the limit, `allowed` its value, `current` how much was in use before this request.",
            "Take fewer seats, confirm or release a hold, or book on another day: `detail` says what helps here.",
        ),
        Kind(
            "leaves-single-seat",
            409,
            "A single seat would be left over",
            "`stranded` lists free seats that would be left alone between seats that are taken.",
            "Move your choice by one seat, or take the single seat too.",
        ),
        Kind(
            "not-enough-seats",
            409,
            "Not enough seats together",
            "There is no free block of `requested` seats. The largest one has `largest_block`.",
            "Ask for fewer seats, or for any section and category.",
        ),
        Kind(
            "sales-closed",
            409,
            "Not on sale",
            "The sales of this screening have not opened yet or have closed, or it was cancelled.",
            "Take seats between `opens_at` and `closes_at`, or choose another screening: GET /screenings.",
        ),
        Kind(
            "screening-required",
            422,
            "A screening must be named",
            "The theater has no screening on sale, or more than one. Usher never guesses which one to change.",
            "Send `screening_id`, one of `screenings`.",
        ),
        Kind(
            "payment-declined",
            402,
            "The payment was declined",
            "The payment provider declined the payment; `reason` is what it answered. The hold stays.",
            "Confirm again with another means of payment before the hold expires.",
        ),
        Kind(
            "payment-pending",
            409,
            "It is being paid for",
            "The payment provider has not decided about the payment for these seats: `reservation_id` has them. Until "
            "then nobody can release, change or extend it.",
            "Wait: GET /reservations/{id} says `booked`, or `held` again.",
        ),
        Kind(
            "payments-unavailable",
            503,
            "The payment provider is not available",
            "The payment provider could not be asked. Nothing was charged, and the hold stays.",
            "Wait for the seconds in Retry-After, then confirm again.",
        ),
        Kind(
            "cancellation-closed",
            409,
            "Too late to cancel",
            "Buyers could cancel this booking until `cancel_until`.",
            "Ask the house: organizers can cancel it at any time.",
        ),
        Kind(
            "transfer-over",
            409,
            "The offer is over",
            "These seats were accepted by somebody, or the offer was withdrawn or has run out: see `transfer_status`.",
            "Ask whoever sent the code to offer the seats again.",
        ),
        Kind(
            "layout-in-use",
            409,
            "Seats are in use",
            "The layout does not have seats that are held, booked or blocked; `seats` lists them, and how.",
            "Keep these seats, or first cancel, release or unblock what stands on them.",
        ),
        Kind(
            "idempotency-key-invalid",
            400,
            "The idempotency key is not valid",
            "A key is 1 to 255 visible ASCII characters, sent once. Without a token it must be a UUID.",
            "Make a new UUID for each operation, and send the same one with each retry.",
        ),
        Kind(
            "idempotency-key-in-use",
            409,
            "The first request is still running",
            "An earlier request with this key has not finished yet.",
            "Wait for the seconds in Retry-After, then send the same request again: you get the answer of the first.",
        ),
        Kind(
            "idempotency-key-reused",
            422,
            "The idempotency key belongs to another request",
            "This key was used with another method, path or body.",
            "Use a new key for each new operation.",
        ),
        Kind(
            "unauthenticated",
            401,
            "Authentication is required",
            "A token is needed and was not sent, or it is not valid: expired, revoked, altered, or not issued here.",
            "Get a token from POST /auth/login or POST /auth/guest, and send it as Authorization: Bearer <token>.",
        ),
        Kind(
            "forbidden",
            403,
            "Not allowed",
            "The token is valid, but its user's role or its API key's scopes do not allow this call.",
            "Sign in as a user whose role allows it, or send an API key with the scope.",
        ),
        Kind(
            "username-taken",
            409,
            "The username is taken",
            "Another account has this username.",
            "Choose another username.",
        ),
        Kind(
            "rate-limited",
            429,
            "Too many requests",
            "This caller has sent more requests than the rate limit allows. The RateLimit headers have the limit.",
            "Wait for the seconds in Retry-After, then send it again.",
        ),
        Kind(
            "precondition-failed",
            412,
            "Edited in the meantime",
            "If-Match does not name the current revision: somebody else made an edit.",
            "Read it again, apply your edit to what you read, and send the new revision.",
        ),
        Kind(
            "changes-gone",
            410,
            "The changes are no longer kept",
            "`since` is older than `oldest`, the first version from which changes can be read. What happened before is "
            "no longer kept, or it is so much that the map costs less.",
            "Read the whole map with GET /screenings/{id}/seats, and go on from its version.",
        ),
        Kind(
            "method-not-allowed",
            405,
            "Method not allowed",
            "The path exists, but it does not allow this method.",
            "Use one of the methods in the Allow header.",
        ),
        Kind(
            "upgrade-required",
            426,
            "Upgrade required",
            "The path is that of a WebSocket, and the request does not ask for one.",
            "Connect with a WebSocket client. If you did, a proxy on the way has dropped the headers Upgrade and "
            "Connection: it must pass them on (nginx: proxy_http_version 1.1, and proxy_set_header for both).",
        ),
        Kind(
            "payload-too-large",
            413,
            "The body is too large",
            "A body may have up to 64 KiB, one with a layout or with seats to block up to 8 MiB, one "
            "with prices up to 256 KiB. The body was not read.",
            "Send less in one request.",
        ),
        Kind(
            "headers-too-large",
            431,
            "The headers are too large",
            "The request line and the headers together may have up to 32 KiB.",
            "Send smaller headers. A token of this service has less than 1 KiB.",
        ),
        Kind(
            "theater-in-use",
            409,
            "The theater has upcoming screenings",
            "A theater cannot be deleted while it has upcoming screenings; `screenings` lists them.",
            "Cancel these screenings first.",
        ),
        Kind(
            "already-used",
            409,
            "The ticket was already used",
            "The ticket was checked in before, at `used_at`.",
            "Do not let anybody in with it again.",
        ),
        Kind(
            "bad-request",
            400,
            "Malformed request",
            "The request is not valid HTTP: for example, it has no Host header, or one header too often.",
            "Correct the request, and send it again. All calls are described at /docs.",
        ),
        Kind(
            "internal",
            500,
            "Internal server error",
            "An unexpected error in Usher. It was logged with the request id.",
            "Try again. If it happens again, send the `request_id` to the operator.",
        ),
        Kind(
            "not-implemented",
            501,
            "Not implemented",
            "The body has a Transfer-Encoding that Usher does not know.",
            "Send the body as it is, with Content-Length, or with Transfer-Encoding: chunked.",
        ),
        Kind(
            "busy",
            503,
            "Temporarily unavailable",
            "The database is not reachable or overloaded, or too many requests are waiting.",
            "Wait for the seconds in Retry-After, then send it again, with the same idempotency key if it had one.",
        ),
    )
}
