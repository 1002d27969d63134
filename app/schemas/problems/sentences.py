"""What the `detail` of a problem says to a person: what happened, and what to do next.

Where the members of a refusal or fault do not tell its reason, it carries a sentence from `reasons.py` (`why`).
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from app.domain import refusals
from app.domain.seats import SeatStatus
from app.schemas.format import faults
from app.schemas.format.moments import moment
from app.schemas.problems.kinds import KINDS

E = TypeVar("E", bound=Exception)

_DETAILS: dict[type[Exception], Callable[[Any], str]] = {}


def detail_of(error: refusals.Refusal | faults.Fault) -> str:
    """What the `detail` of this refusal or fault says; by default the advice of its kind."""
    say = _DETAILS.get(type(error))
    return say(error) if say else KINDS[error.code].advice


def _says(kind: type[E]) -> Callable[[Callable[[E], str]], Callable[[Any], str]]:
    def enter(say: Callable[[E], str]) -> Callable[[Any], str]:
        _DETAILS[kind] = say
        return say

    return enter


def _some(names: Sequence[object]) -> str:
    """The first five, each cut to 64 characters, and how many more there are."""
    shown = ", ".join(str(name)[:64] for name in names[:5])
    return shown + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _are(names: Sequence[object]) -> str:
    return f"{_some(names)} {'is' if len(names) == 1 else 'are'}"


# --- seats, reservations and bookings --------------------------------------------------------------------------------


@_says(refusals.NotFound)
def _not_found(error: refusals.NotFound) -> str:
    return f"There is no such {error.what}, or it is not yours. Check the id, and which token you send."


@_says(refusals.UnknownSeats)
def _unknown_seats(error: refusals.UnknownSeats) -> str:
    said = f"This theater has no such seat: {_some(error.unknown)}."
    if error.available_seats:
        return f"{said} Choose a free one, for example {', '.join(error.available_seats[:5])}."
    return f"{said} Choose one from the seat map."


_MAYBE_YOURS: Final = (
    " Do you hold it yourself? The guest_token in the answer to your hold proves it: send it as "
    "Authorization: Bearer <guest_token>."
)


@_says(refusals.SeatsUnavailable)
def _seats_unavailable(error: refusals.SeatsUnavailable) -> str:
    said = f"{_are([seat.label for seat in error.seats])} not available. Nothing was changed."
    if error.came_without_token and any(seat.status is SeatStatus.RESERVED for seat in error.seats):
        said += _MAYBE_YOURS
    if error.available_seats:
        return f"{said} Choose other seats; free nearby: {', '.join(error.available_seats[:5])}."
    return f"{said} No other seat is free now. Try again later, or choose another screening."


@_says(refusals.LeavesSingleSeat)
def _leaves_single_seat(error: refusals.LeavesSingleSeat) -> str:
    said = f"{_some(error.stranded)} would be left alone. Nothing was changed."
    if error.suggestions:
        return f"{said} Choose seats that leave no single one, for example {', '.join(error.suggestions[0])}."
    return f"{said} Move your choice by one seat, or take the single seat too."


@_says(refusals.NotEnoughSeats)
def _not_enough_seats(error: refusals.NotEnoughSeats) -> str:
    free = f"{error.available} seats of that kind are free, at most {error.largest_block} of them side by side"
    return f"You asked for {error.requested}: {free}. Ask for fewer, in another section or category, or not together."


@_says(refusals.ReservationExpired)
def _reservation_expired(error: refusals.ReservationExpired) -> str:
    since = f"The hold expired at {moment(error.expired_at)}"
    if not error.seats:
        return f"{since}, too long ago to take it again. Hold the seats again if they are still free."
    return f"{since}, and {_are([seat.label for seat in error.seats])} no longer available. Hold other seats."


@_says(refusals.ReservationBooked)
def _reservation_booked(error: refusals.ReservationBooked) -> str:
    return (
        f"This reservation was booked, as booking {error.booking_id}. To give its seats back, cancel the booking; "
        "if it is cancelled already, hold the seats again."
    )


@_says(refusals.BookingCancelled)
def _booking_cancelled(error: refusals.BookingCancelled) -> str:
    return f"Booking {error.booking_id} is cancelled: it has no seats to give. Book the seats that you want instead."


@_says(refusals.PriceChanged)
def _price_changed(error: refusals.PriceChanged) -> str:
    now = f"{error.total.amount_minor} {error.total.currency} (in minor units)"
    return f"The hold expired, and its seats now cost {now}. Nothing was charged. Hold them again to accept that price."


@_says(refusals.ReservationEnded)
def _reservation_ended(error: refusals.ReservationEnded) -> str:
    return f"This reservation is {error.reservation_status}. Hold the seats again if they are still free."


@_says(refusals.ExtensionLimit)
def _extension_limit(error: refusals.ExtensionLimit) -> str:
    return f"This hold cannot be extended beyond {moment(error.latest_expires_at)}. Confirm it before then."


_WITHIN_THE_LIMIT: Final = {
    "max_seats_per_user": "Take fewer seats, or give some back first.",
    "max_active_reservations_per_user": "Confirm or release a hold first.",
    "bookings_per_user_per_day": "Book on another day, or cancel a booking of today.",
    "anonymous_holds_per_address": "Take fewer seats, book or release held ones, or sign in.",
}


@_says(refusals.LimitExceeded)
def _limit_exceeded(error: refusals.LimitExceeded) -> str:
    limit = f"The limit is {error.allowed} ({error.limit.replace('_', ' ')})"
    advice = _WITHIN_THE_LIMIT.get(error.limit, "Take fewer seats.")
    return f"{limit}, and {error.current} were in use before this request. {advice}"


@_says(refusals.HeldTooOften)
def _held_too_often(error: refusals.HeldTooOften) -> str:
    return (
        f"Held again and again from your network address, and not booked: {_some(error.labels)}. "
        f"Try again in {_seconds(error.retry_after_seconds)}, choose other seats, or sign in."
    )


@_says(refusals.SalesClosed)
def _sales_closed(error: refusals.SalesClosed) -> str:
    since = f" from {moment(error.opens_at)}" if error.opens_at else ""
    return (
        f"This screening is not on sale now. Its sales run{since} until {moment(error.closes_at)}. "
        "Choose another screening: GET /screenings."
    )


@_says(refusals.ScreeningCancelled)
def _screening_cancelled(error: refusals.ScreeningCancelled) -> str:
    return f"This screening was cancelled at {moment(error.closes_at)}. Choose another screening: GET /screenings."


@_says(refusals.ScreeningRequired)
def _screening_required(error: refusals.ScreeningRequired) -> str:
    if not error.screenings:
        return "No screening is on sale there now. Choose one that is: GET /screenings."
    ids = _some([one.id for one in error.screenings])
    return f"It is not clear which screening is meant. Send screening_id with one of these ids: {ids}."


@_says(refusals.PaidInVain)
def _paid_in_vain(error: refusals.PaidInVain) -> str:
    return (
        "The payment could not be accepted: what was paid for is gone meanwhile, or the amount is not right. The money "
        "goes back by itself. Look at your bookings before you try again."
    )


@_says(refusals.PaymentDeclined)
def _payment_declined(error: refusals.PaymentDeclined) -> str:
    if error.expires_at is None:
        return "The payment was declined, and nothing was charged. Try again with another means of payment."
    return (
        f"The payment was declined, and nothing was charged. The hold stays until {moment(error.expires_at)}: "
        "try again with another means of payment before then."
    )


@_says(refusals.PaymentPending)
def _payment_pending(error: refusals.PaymentPending) -> str:
    return (
        "These seats are being paid for, and nothing can change until that is decided. "
        f"Read GET /reservations/{error.reservation_id} until its status is not `paying` any more."
    )


@_says(refusals.PaymentsUnavailable)
def _payments_unavailable(error: refusals.PaymentsUnavailable) -> str:
    return (
        "The payment provider could not be asked. Nothing was charged, and what you hold stays held. "
        f"Try again in {_seconds(error.retry_after_seconds)}."
    )


@_says(refusals.CancellationClosed)
def _cancellation_closed(error: refusals.CancellationClosed) -> str:
    return f"Bookings of this screening could be cancelled until {moment(error.cancel_until)}. Ask the house."


_OVER: Final = {
    "accepted": "These seats were accepted already, and the code is good for nothing any more.",
    "withdrawn": "These seats are offered no more.",
    "expired": "The offer of these seats has run out.",
}


@_says(refusals.TransferOver)
def _transfer_over(error: refusals.TransferOver) -> str:
    return f"{_OVER[error.transfer_status]} Ask whoever sent the code to offer them again."


@_says(refusals.ChangesGone)
def _changes_gone(error: refusals.ChangesGone) -> str:
    return (
        f"Changes can be read from version {error.oldest} on; before that, they are no longer kept or too many. "
        "Read the whole seat map, then go on from its version."
    )


# --- what organizers do ----------------------------------------------------------------------------------------------


@_says(refusals.TheaterInUse)
def _theater_in_use(error: refusals.TheaterInUse) -> str:
    return f"This theater has upcoming screenings: {_some([one.id for one in error.screenings])}. Cancel them first."


@_says(refusals.LayoutInUse)
def _layout_in_use(error: refusals.LayoutInUse) -> str:
    return (
        f"{_are([seat.label for seat in error.seats])} in use, and missing in the layout. `seats` says how. "
        "Nothing was changed. Keep these seats, or first cancel, release or unblock what stands on them."
    )


@_says(refusals.PreconditionFailed)
def _precondition_failed(error: refusals.PreconditionFailed) -> str:
    return (
        f"Somebody else edited this in the meantime: its revision is now {error.revision}. Read it again, apply your "
        f'edit to what you read, and send If-Match: "{error.revision}".'
    )


# --- who is asking, and how often ------------------------------------------------------------------------------------


@_says(refusals.UsernameTaken)
def _username_taken(_: refusals.UsernameTaken) -> str:
    return "This username is taken. Choose another, or sign in: POST /auth/login."


@_says(refusals.KeyReused)
def _key_reused(_: refusals.KeyReused) -> str:
    return "This idempotency key was used for another request. Use a new key for each new operation."


@_says(refusals.KeyInUse)
def _key_in_use(error: refusals.KeyInUse) -> str:
    return (
        "An earlier request with this idempotency key is still running. "
        f"Send the same request again in {_seconds(error.retry_after_seconds)}."
    )


@_says(refusals.RateLimited)
def _rate_limited(error: refusals.RateLimited) -> str:
    return f"{error.why or 'You have sent too many requests.'} Try again in {_seconds(error.standing.reset_seconds)}."


@_says(refusals.Busy)
def _busy(error: refusals.Busy) -> str:
    if error.outcome_unknown:
        return f"{error.why} The outcome is unknown: retry with the same key, and the request is carried out only once."
    return f"{error.why} Nothing was changed. Try again in {_seconds(error.retry_after_seconds)}."


def _seconds(count: int) -> str:
    return "1 second" if count == 1 else f"{count} seconds"


# --- HTTP and JSON ---------------------------------------------------------------------------------------------------


@_says(faults.NoSuchPath)
def _no_such_path(_: faults.NoSuchPath) -> str:
    return "There is nothing at this path. Find the right one in the list of all calls: /docs."


@_says(faults.Malformed)
def _malformed(error: faults.Malformed) -> str:
    first = error.errors[0]
    where = ".".join(str(part) for part in first["loc"])
    said = f"{where}: {first['message'].removesuffix('.')}."
    if len(error.errors) == 1:
        return f"{said} Correct this, and send the request again."
    return f"{said} There are {len(error.errors)} mistakes, all listed in errors. Correct them, and send it again."


@_says(faults.PayloadTooLarge)
def _payload_too_large(error: faults.PayloadTooLarge) -> str:
    return f"The body of this call may have up to {error.allowed_bytes // 1024} KiB. Send less in one request."


@_says(faults.HeadersTooLarge)
def _headers_too_large(error: faults.HeadersTooLarge) -> str:
    most = error.allowed_bytes // 1024
    return f"The request line and the headers together may have up to {most} KiB. Send smaller headers."


@_says(faults.UpgradeRequired)
def _upgrade_required(_: faults.UpgradeRequired) -> str:
    return KINDS["upgrade-required"].advice


@_says(faults.MethodNotAllowed)
def _method_not_allowed(error: faults.MethodNotAllowed) -> str:
    return f"This path does not allow the method. Use one that it allows: {', '.join(error.methods)}."


@_says(faults.UnknownCoding)
def _unknown_coding(_: faults.UnknownCoding) -> str:
    return "Of the transfer codings only chunked is known here. Send the body as it is."


@_says(refusals.KeyInvalid)
@_says(refusals.Unauthenticated)
@_says(refusals.Forbidden)
@_says(faults.UnsupportedMediaType)
@_says(faults.BadRequest)
def _why(error: Any) -> str:
    return str(error.why)
