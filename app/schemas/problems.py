"""Every problem that Usher knows: status, meaning, and what to do about it (docs/api.md, section 3; RFC 9457)."""

from collections.abc import Mapping
from dataclasses import dataclass
from http.client import responses
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.schemas.format.moments import encoded


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: `meaning` and `advice` are what `GET /problems/<code>` says."""

    code: str
    status: int
    title: str
    meaning: str
    advice: str


class Problem(BaseModel):
    """What went wrong, for programs (`code`) and for people (`detail`). Many problems have more members."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["/problems/not-found"], description="A page that explains this kind of problem.")
    title: str = Field(examples=["Not found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is no such screening."], description="What happened and what to do next.")
    instance: str = Field(examples=["/api/v1/screenings/999"], description="The path that was asked for.")
    code: str = Field(examples=["not-found"], description="The kind, for programs.")
    request_id: str = Field(
        examples=["6f1c0d7e5a3b4c2d9e8f7a6b5c4d3e2f"], description="Quote this when asking for help."
    )


def problem_json(
    kind: Kind, detail: str, instance: str, request_id: str, members: Mapping[str, Any] | None = None
) -> bytes:
    """The body of a problem."""
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
    """The kind for an error of the framework that has no kind of its own."""
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
            "The request does not say what it must",
            "The body, the path or the query is malformed, lacks something, or has something that nobody knows.",
            "Look at `errors`: each has the place (`loc`), a stable `code` and a sentence. Correct them, send again.",
        ),
        Kind(
            "unsupported-media-type",
            415,
            "Not JSON",
            "Bodies are JSON in UTF-8, announced as such and not compressed.",
            "Send the header Content-Type: application/json; with curl use --json instead of -d.",
        ),
        Kind(
            "not-found",
            404,
            "Not found",
            "There is no such path or thing, or it belongs to somebody else: nobody is told which.",
            "Check the path and the id. For reservations and bookings, send the token of the person who made them.",
        ),
        Kind(
            "unknown-seats",
            404,
            "No such seat",
            "The theater has no seat of that name or id. `unknown` repeats them as they were given.",
            "Choose from `available_seats`, or read the whole map with GET /screenings/{id}/seats.",
        ),
        Kind(
            "seats-unavailable",
            409,
            "Seats are not available",
            "Somebody else holds or booked a seat, or the house took it off sale. Nothing was changed for any seat.",
            "`seats` names every seat in the way and why; `available_seats` are free now, the nearest first.",
        ),
        Kind(
            "reservation-expired",
            409,
            "The hold ran out",
            "The hold ended before it was confirmed or extended, and these of its seats are somebody else's by now.",
            "Hold other seats. What is free: GET /screenings/{id}/seats.",
        ),
        Kind(
            "reservation-ended",
            409,
            "The reservation has ended",
            "It was released or cancelled before; `reservation_status` says what became of it.",
            "Hold the seats again, if they are still free.",
        ),
        Kind(
            "extension-limit",
            409,
            "It cannot be extended further",
            "The hold ends as late as a hold may, counted from its first moment; `latest_expires_at` is that end.",
            "Confirm it before then.",
        ),
        Kind(
            "limit-exceeded",
            409,
            "More than one buyer may have",
            "A policy of the house: `limit` is its name, `allowed` how much it allows, `current` what was used before.",
            "Take fewer seats, release a hold, or come back another day, as the limit's name says.",
        ),
        Kind(
            "leaves-single-seat",
            409,
            "A single seat would be left over",
            "`stranded` are seats that nobody could sit in with company.",
            "Move by one seat, or take the stranded one too.",
        ),
        Kind(
            "not-enough-seats",
            409,
            "Not that many together",
            "There is no block of `requested` seats; the largest has `largest_block`.",
            "Ask for fewer, or drop the section or category.",
        ),
        Kind(
            "sales-closed",
            409,
            "Not on sale",
            "The screening's sales have not opened yet, have closed, or it was cancelled.",
            "Sales run from `opens_at` to `closes_at`. Others: GET /screenings.",
        ),
        Kind(
            "screening-required",
            422,
            "Which screening?",
            "The theater has not exactly one screening on sale, and Usher never guesses when something would change.",
            "Send `screening_id`, one of `screenings`.",
        ),
        Kind(
            "payment-declined",
            402,
            "The payment was declined",
            "The provider said no; `reason` is its word. The hold stays.",
            "Confirm again with another means of payment before the hold ends.",
        ),
        Kind(
            "layout-in-use",
            409,
            "Seats are in use",
            "The new layout would drop seats that are held or booked: `seats`.",
            "Keep these seats, or cancel their bookings first.",
        ),
        Kind(
            "idempotency-key-invalid",
            400,
            "Not an idempotency key",
            "A key is 1 to 255 visible ASCII characters, sent once; that of a caller without a token is a UUID.",
            "Make a new UUID for each thing to be done, and send the same one with each repeat.",
        ),
        Kind(
            "idempotency-key-in-use",
            409,
            "The first request is still running",
            "A request with this key was sent before and has not ended yet.",
            "Send the same again after the seconds of Retry-After; then its answer is there.",
        ),
        Kind(
            "idempotency-key-reused",
            422,
            "The key belongs to another request",
            "This key was used with another method, path or body.",
            "Make a new key for a new thing to be done.",
        ),
        Kind(
            "unauthenticated",
            401,
            "Who is asking?",
            "There is no token where one is needed, or it is not believed: run out, altered, or not from here.",
            "Get a token, from POST /auth/login or /auth/guest, and send it as Authorization: Bearer <token>.",
        ),
        Kind(
            "forbidden",
            403,
            "Not with this role",
            "The caller is known and may not do this.",
            "Sign in as somebody whose role allows it.",
        ),
        Kind("username-taken", 409, "The name is taken", "Somebody else has this username.", "Choose another."),
        Kind(
            "rate-limited",
            429,
            "Too many requests",
            "More requests than one caller may send in this time; the RateLimit headers say how many.",
            "Wait for the seconds of Retry-After.",
        ),
        Kind(
            "precondition-failed",
            412,
            "Somebody edited it meanwhile",
            "If-Match does not name the present revision.",
            "Read it again, apply the edit to what is there now, and send the new revision.",
        ),
        Kind(
            "changes-gone",
            410,
            "Changes that old are no longer kept",
            "`since` lies before `oldest`, the earliest version that can still be answered from.",
            "Read the whole map with GET /screenings/{id}/seats and go on from its version.",
        ),
        Kind(
            "method-not-allowed",
            405,
            "Not with this method",
            "The path exists, the method does not.",
            "The Allow header lists the methods.",
        ),
        Kind(
            "payload-too-large",
            413,
            "Too much at once",
            "A body has at most 64 KiB; one with a layout 8 MiB. It was refused unread.",
            "Send less in one request.",
        ),
        Kind(
            "headers-too-large",
            431,
            "The headers are too large",
            "Request line and headers have at most 32 KiB together.",
            "Send smaller headers; a token of this service has less than 1 KiB.",
        ),
        Kind(
            "theater-in-use",
            409,
            "Screenings are to come",
            "The theater has screenings to come: `screenings`.",
            "Cancel them first.",
        ),
        Kind(
            "already-used",
            409,
            "The ticket was used",
            "It was checked in before, at `used_at`.",
            "Let nobody in with it a second time.",
        ),
        Kind(
            "bad-request",
            400,
            "Not a request that can be understood",
            "HTTP itself was used wrongly: no Host header, say, or a header twice that may be there once.",
            "Correct the request; `detail` says what is wrong.",
        ),
        Kind(
            "internal",
            500,
            "Usher made a mistake",
            "Something happened that nobody had foreseen. It was logged under the request id.",
            "Try once more; if it happens again, tell the operator the `request_id`.",
        ),
        Kind(
            "busy",
            503,
            "Too busy at this moment",
            "The database is away or saturated, or the queue is full.",
            "Send the same again after the seconds of Retry-After, best with the same idempotency key.",
        ),
    )
}
