"""What is true of every command: of what it does, of why it is refused, and of asking it again."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from app.domain.bookings import Booking, BookingStatus
from app.domain.box_office.commands import (
    AcceptTransfer,
    Block,
    Book,
    Cancel,
    Close,
    Command,
    Confirm,
    Exchange,
    Expire,
    Extend,
    Hold,
    OfferTransfer,
    Release,
    ReleaseAll,
    Toggle,
    Unblock,
    WithdrawTransfer,
)
from app.domain.box_office.decide import decide
from app.domain.box_office.outcomes import (
    Blocked,
    Booked,
    Cancelled,
    Closed,
    Exchanged,
    Expired,
    Held,
    Kept,
    Offered,
    Outcome,
    ReleasedAll,
    Withdrawn,
)
from app.domain.box_office.screening_state import ScreeningState
from app.domain.claims import Claim, ClaimStatus
from app.domain.money import Money
from app.domain.refusals import (
    BookingCancelled,
    CancellationClosed,
    ExtensionLimit,
    Flawed,
    LimitExceeded,
    NotFound,
    PriceChanged,
    Refusal,
    ReservationEnded,
    ReservationExpired,
    SalesClosed,
    SeatsUnavailable,
    TransferOver,
)
from app.domain.reservations import Reservation, ReservationStatus
from app.domain.seats import SeatStatus
from app.domain.transfers import Transfer, TransferStatus


def check_step(before: ScreeningState, command: Command, after: ScreeningState, now: datetime) -> None:
    """Everything that is true of a command that was not refused."""
    versions_count_changes(before, after)
    nobody_loses_a_seat_but_by_its_owners_wish(before, command, after, now)
    nothing_is_forgotten(before, command, after, now)
    prices_are_kept(before, command, after, now)
    what_was_asked_for_is_done(before, command, after, now)


def versions_count_changes(before: ScreeningState, after: ScreeningState) -> None:
    """One more for a command that changed something; what changed has that version.

    It changes some seat, unless somebody gave back what had run out.
    """
    papers_changed = (after.reservations, after.bookings) != (before.reservations, before.bookings)
    assert after.version == before.version + (papers_changed or before.claims != after.claims)
    if before.claims == after.claims:
        changed = [each for each in before.reservations.values() if after.reservations[each.id] != each]
        assert all(each.status is ReservationStatus.EXPIRED for each in changed)
        assert after.bookings == before.bookings
    for reservation_id, reservation in after.reservations.items():
        same = before.reservations.get(reservation_id) == reservation
        assert same or reservation.version == after.version
    for booking_id, booking in after.bookings.items():
        assert before.bookings.get(booking_id) == booking or booking.version == after.version


def nobody_loses_a_seat_but_by_its_owners_wish(
    before: ScreeningState, command: Command, after: ScreeningState, now: datetime
) -> None:
    """A live claim stays with its owner, unless the owner gives just that seat back. Time alone ends the others."""
    lost = {
        claim.seat_id
        for claim in before.claims.values()
        if claim.is_live(now) and not is_still_had(claim, after.claims.get(claim.seat_id), now)
    }
    assert lost <= given_back_by(before, command, now)
    for seat_id, claim in before.claims.items():
        if claim.is_live(now) and claim.user_id not in _whose(command) and seat_id not in lost:
            assert after.claims[seat_id] == claim


def nothing_is_forgotten(before: ScreeningState, command: Command, after: ScreeningState, now: datetime) -> None:
    """Reservations and bookings remain, with all the seats they ever had; time alone changes those of others."""
    for reservation_id, old in before.reservations.items():
        new = after.reservations[reservation_id]
        assert _lasting(new) == _lasting(old)
        assert new.first_held_at == old.first_held_at or (
            isinstance(command, Toggle) and new.first_held_at < old.first_held_at  # a seat joined whose cap counts
        )
        assert old.prices.keys() | old.left.keys() <= new.prices.keys() | new.left.keys()
        assert new.expires_at >= old.expires_at
        if old.status in (ReservationStatus.BOOKED, ReservationStatus.RELEASED):
            assert new == old
        if new.user_id not in _whose(command) and new != old and not isinstance(command, Close):
            assert (old.status_at(now), new.status) == (ReservationStatus.EXPIRED, ReservationStatus.EXPIRED)
            assert (new.prices, new.left) == (old.prices, old.left)
    for booking_id, sold in before.bookings.items():
        now_sold = after.bookings[booking_id]
        assert (now_sold.id, now_sold.user_id, now_sold.reservation_id) == (sold.id, sold.user_id, sold.reservation_id)
        assert now_sold.created_at == sold.created_at
        seats, seats_before = {**now_sold.prices, **now_sold.left}, {**sold.prices, **sold.left}
        if isinstance(command, Exchange) and command.booking_id == booking_id:
            assert len(now_sold.prices) == len(sold.prices)
            assert seats.keys() == seats_before.keys() | set(command.take.ids)
        else:
            assert seats == seats_before
            assert isinstance(command, Cancel | Close | AcceptTransfer) or now_sold == sold
        if sold.status is BookingStatus.CANCELLED:
            assert now_sold == sold


def prices_are_kept(before: ScreeningState, command: Command, after: ScreeningState, now: datetime) -> None:
    """Whoever keeps a seat keeps its price, from hold to hold to booking; a seat that is taken anew costs today's, as
    does one that is taken for another.

    Confirmed or extended late, a hold has the price of its own moment only if that is today's.
    """
    live = {seat_id: claim for seat_id, claim in before.claims.items() if claim.is_live(now) and not is_blocked(claim)}
    agreed = {seat_id: price_of(before, claim) for seat_id, claim in live.items()}
    if isinstance(command, Exchange):
        agreed = {}
    if isinstance(command, Confirm | Extend) and before.reservations[command.reservation_id].is_holding(now):
        agreed |= before.reservations[command.reservation_id].prices
    for seat_id, claim in after.claims.items():
        if claim.status is not ClaimStatus.BLOCKED and claim != before.claims.get(seat_id):
            today = after.screening.price_of(after.layout.by_id[seat_id].category)
            assert price_of(after, claim) == agreed.get(seat_id, today)


def what_was_asked_for_is_done(before: ScreeningState, command: Command, after: ScreeningState, now: datetime) -> None:
    """The seats that were named are held, booked or free, as the command says."""
    match command:
        case Hold(buyer, seats):
            assert not in_the_way(before, seats.ids, buyer.id, now)
            reservation = _only_paper(after, seats.ids, ClaimStatus.HELD)
            assert isinstance(reservation, Reservation)
            assert reservation.user_id == buyer.id
            assert reservation.prices.keys() == set(seats.ids)
        case Toggle(buyer, seats):
            assert not in_the_way(before, seats.ids, buyer.id, now)
            for seat_id in seats.ids:
                had = before.claims.get(seat_id)
                was_mine = had is not None and had.is_live(now)
                assert (seat_id not in after.claims) if was_mine else after.claims[seat_id].is_held_by(buyer.id)
        case Release(_, reservation_id, one):
            seat_ids = before.reservations[reservation_id].prices if one is None else {one}
            assert not any(
                claim.reservation_id == reservation_id and claim.is_live(now)
                for claim in after.claims.values()
                if claim.seat_id in seat_ids
            )
            released = after.reservations[reservation_id]
            assert released.status is ReservationStatus.RELEASED or released.left.keys() >= set(seat_ids)
        case ReleaseAll(buyer):
            assert not after.held_by(buyer.id, now)
            assert not [each for each in after.reservations.values() if _may_be_taken_again(after, each, buyer.id, now)]
        case Extend(_, reservation_id):
            extended = after.reservations[reservation_id]
            assert extended.is_holding(now)
            assert extended.expires_at == after.screening.hold_ends(extended.first_held_at, now)
        case Confirm(_, reservation_id):
            confirmed = after.reservations[reservation_id]
            assert confirmed.booking_id in after.bookings
            assert confirmed.prices == before.reservations[reservation_id].prices
        case Book(buyer, seats):
            booking = _only_paper(after, seats.ids, ClaimStatus.BOOKED)
            assert isinstance(booking, Booking)
            assert booking.user_id == buyer.id
            assert booking.prices.keys() == set(seats.ids)
        case Cancel(_, booking_id, one):
            seat_ids = before.bookings[booking_id].prices if one is None else {one}
            assert not any(
                claim.booking_id == booking_id for claim in after.claims.values() if claim.seat_id in seat_ids
            )
        case OfferTransfer(_, booking_id, named, transfer_id):
            made = after.transfers[transfer_id]
            assert made.status_at(after.bookings[booking_id], after.screening, now) is TransferStatus.OFFERED
            assert set(made.seat_ids) == set(named.ids if named else after.bookings[booking_id].prices)
        case WithdrawTransfer(_, code_hash):
            assert _transfer(after, code_hash).status is not TransferStatus.ACCEPTED
            assert not _transfer(after, code_hash).is_open(after.screening, now)
        case AcceptTransfer(buyer, code_hash):
            transfer = _transfer(after, code_hash)
            taken = _only_paper(after, transfer.seat_ids, ClaimStatus.BOOKED)
            assert isinstance(taken, Booking)
            assert (taken.id, taken.user_id) == (transfer.accepted_as, buyer.id)
            assert taken.prices.keys() == set(transfer.seat_ids)
        case Exchange():
            sale = after.bookings[command.booking_id]
            assert set(command.take.ids) <= sale.prices.keys()
            assert set(command.give.ids) <= sale.left.keys()
        case Expire(reservation_ids):
            for reservation_id in reservation_ids:
                assert after.reservations[reservation_id].status is before.reservations[reservation_id].status_at(now)
        case Block(_, seats):
            for seat_id in seats.ids:
                had = before.claims.get(seat_id)
                assert after.claims[seat_id] == had if had and had.is_live(now) else is_blocked(after.claims[seat_id])
        case Unblock(_, seats):
            for seat_id in seats.ids:
                had = before.claims.get(seat_id)
                assert after.claims.get(seat_id) == (None if is_blocked(had) else had)
        case Close() if before.screening.cancelled_at is not None:
            assert not any(_is_undone_by(command, claim) for claim in after.claims.values())
        case Close():
            assert after == before


def check_refusal(state: ScreeningState, command: Command, refusal: Refusal, now: datetime) -> None:
    """A rule said no: it had a reason, and named everything that stood in the way."""
    match refusal, command:
        case SeatsUnavailable(), Hold(buyer, seats) | Toggle(buyer, seats) | Book(buyer, seats):
            assert {each.seat_id for each in refusal.seats} == in_the_way(state, seats.ids, buyer.id, now) != set()
        case SeatsUnavailable(), Exchange(_, owner_id, _, _, take):
            assert {each.seat_id for each in refusal.seats} == in_the_way(state, take.ids, owner_id, now) != set()
        case NotFound(), Exchange(buyer, _, booking_id, give):
            exchanged = state.bookings.get(booking_id)
            is_theirs = exchanged is not None and (exchanged.user_id == buyer.id or buyer.runs_the_house)
            assert not (exchanged and is_theirs and set(give.ids) <= exchanged.prices.keys())
        case BookingCancelled(), Exchange():
            assert state.bookings[command.booking_id].status is BookingStatus.CANCELLED
        case Flawed(), Exchange():
            assert len(command.give.ids) != len(command.take.ids) or set(command.give.ids) & set(command.take.ids)
        case ReservationExpired(), Confirm(buyer, reservation_id) | Extend(buyer, reservation_id):
            late = state.reservations[reservation_id]
            assert late.status_at(now) is ReservationStatus.EXPIRED
            assert refusal.expired_at == late.expires_at
            named = {each.seat_id for each in refusal.seats}
            taken = in_the_way(state, late.prices, buyer.id, now)
            assert taken <= named <= late.prices.keys()
            assert {each.seat_id for each in refusal.seats if each.status != SeatStatus.AVAILABLE} == taken
            assert named or not _may_be_taken_again(state, late, buyer.id, now)
        case PriceChanged(), Confirm() | Extend():
            late = state.reservations[command.reservation_id]
            assert late.status_at(now) is ReservationStatus.EXPIRED
            prices_now = [state.screening.price_of(state.layout.by_id[seat_id].category) for seat_id in late.prices]
            newer = {each for other in state.held_by(late.user_id, now) for each in other.prices.items()}
            assert prices_now != list(late.prices.values()) or newer - late.prices.items()
        case ReservationEnded(), Confirm() | Extend() | Release():
            ended = state.reservations[command.reservation_id]
            assert refusal.reservation_status == ended.status
            assert getattr(refusal, "booking_id", None) == ended.booking_id
            assert refusal.reservation_status in (ReservationStatus.BOOKED, ReservationStatus.RELEASED)
            if ended.booking_id is not None and isinstance(command, Confirm):
                assert state.bookings[ended.booking_id].status is BookingStatus.CANCELLED
        case ExtensionLimit(), Extend():
            reservation = state.reservations[command.reservation_id]
            latest = state.screening.latest_end(reservation.first_held_at)
            assert refusal.latest_expires_at == max(latest, reservation.expires_at)
            assert latest <= max(now, reservation.expires_at)
        case ExtensionLimit(), Hold(buyer, seats) | Toggle(buyer, seats):
            holding = state.held_by(buyer.id, now)
            theirs = [each for each in state.reservations.values() if each.user_id == buyer.id]
            had = [each for each in theirs if set(seats.ids) & {*each.prices, *each.left}]
            joined = holding[-1:] if isinstance(command, Toggle) else []
            caps = [state.screening.latest_end(each.first_held_at) for each in (*had, *joined)]
            assert refusal.latest_expires_at >= min(caps)
            assert refusal.latest_expires_at - now < timedelta(seconds=10) or any(
                each.expires_at > refusal.latest_expires_at for each in holding
            )
        case NotFound(), Confirm() | Extend() | Release():
            theirs = state.reservations.get(command.reservation_id)
            assert theirs is None or theirs.user_id != command.buyer.id
        case NotFound(), Cancel(buyer, booking_id):
            sold = state.bookings.get(booking_id)
            assert sold is None or (sold.user_id != buyer.id and not buyer.runs_the_house)
        case NotFound(), OfferTransfer(buyer, booking_id, named):
            sold = state.bookings.get(booking_id)
            is_theirs = sold is not None and sold.user_id == buyer.id
            assert not is_theirs or (sold and named and not sold.prices.keys() >= set(named.ids))
        case ReservationEnded(), OfferTransfer(buyer, booking_id):
            assert state.bookings[booking_id].status is BookingStatus.CANCELLED
        case (SalesClosed(), OfferTransfer()):
            assert state.screening.cancelled_at is not None
        case (CancellationClosed(), OfferTransfer()):
            assert now >= state.screening.starts_at
        case NotFound(), WithdrawTransfer(buyer, code_hash):
            theirs_too = [each for each in state.transfers.values() if each.code_hash == code_hash]
            assert not theirs_too or state.bookings[theirs_too[0].booking_id].user_id != buyer.id
        case NotFound(), AcceptTransfer(_, code_hash):
            assert code_hash not in {each.code_hash for each in state.transfers.values()}
        case TransferOver(), AcceptTransfer(_, code_hash):
            over = _transfer(state, code_hash)
            status = over.status_at(state.bookings[over.booking_id], state.screening, now)
            assert refusal.transfer_status == status != TransferStatus.OFFERED
        case TransferOver(), WithdrawTransfer(_, code_hash):
            assert _transfer(state, code_hash).status is TransferStatus.ACCEPTED
        case Flawed(), AcceptTransfer(buyer, code_hash):
            assert state.bookings[_transfer(state, code_hash).booking_id].user_id == buyer.id
        case LimitExceeded(limit="max_seats_per_reservation"), AcceptTransfer(_, code_hash):
            assert len(_transfer(state, code_hash).seat_ids) > refusal.allowed
        case LimitExceeded(limit="max_seats_per_reservation"), Hold() | Toggle() | Book():
            newest = state.held_by(command.buyer.id, now)[-1:] if isinstance(command, Toggle) else []
            had = {seat_id for each in newest for seat_id in each.prices}
            mine = _held_by(state, command.buyer.id, now) if isinstance(command, Toggle) else set()
            wanted = had.symmetric_difference(set(command.seats.ids) - (mine - had))
            assert (refusal.allowed, refusal.current) == (state.screening.limits.max_seats_per_reservation, len(had))
            assert len(wanted) > refusal.allowed
        case LimitExceeded(
            limit="max_seats_per_user"
        ), Hold() | Toggle() | Book() | Extend() | Confirm() | AcceptTransfer():
            buyer_ids = state.buyer(command.buyer.id)
            mine = {claim.seat_id for user_id in buyer_ids for claim in state.claims_of(user_id, now)}
            assert (refusal.allowed, refusal.current) == (state.screening.limits.max_seats_per_user, len(mine))
            assert len(mine | set(_wanted_by(state, command))) > refusal.allowed
        case LimitExceeded(limit="max_active_reservations_per_user"), Hold() | Toggle() | Extend():
            holds = [each for user_id in state.buyer(command.buyer.id) for each in state.held_by(user_id, now)]
            own = [each for each in holds if each.user_id == command.buyer.id]
            ending = [each for each in own if each.prices.keys() <= set(_wanted_by(state, command))]
            assert refusal.allowed == state.screening.limits.max_active_reservations_per_user
            assert refusal.current == len(holds)
            assert len(holds) - len(ending) + 1 > refusal.allowed
        case LimitExceeded(limit="bookings_per_user_per_day"), Book() | Confirm() | AcceptTransfer():
            today = now.astimezone(state.timezone).date()
            buyer_ids = state.buyer(command.buyer.id)
            standing = [each for each in state.bookings.values() if each.status is BookingStatus.CONFIRMED]
            made = [each.created_at for each in standing if each.user_id in buyer_ids]
            assert refusal.allowed == state.screening.limits.bookings_per_user_per_day
            assert refusal.current == sum(at.astimezone(state.timezone).date() == today for at in made)
            assert refusal.current >= refusal.allowed
        case SalesClosed(), Hold() | Toggle() | Book() | Extend() | Confirm() | Exchange():
            assert not state.screening.is_on_sale(now)
        case _:
            raise AssertionError(f"{command} has no reason to be refused with {refusal!r}")


def may_be_repeated(state: ScreeningState, command: Command) -> bool:
    """Toggling undoes itself; what reached the cap cannot be extended again, and what was accepted not be accepted."""
    if isinstance(command, Extend):
        extended = state.reservations[command.reservation_id]
        return extended.expires_at < state.screening.latest_end(extended.first_held_at)
    return not isinstance(command, Toggle | AcceptTransfer)


def check_repeat(state: ScreeningState, command: Command, first: Outcome, new_id: UUID, now: datetime) -> None:
    """What was done once is not done twice: it is only said again."""
    again = decide(state, _anew(command, new_id), now)
    assert not again.changes_something
    match first, again.outcome:
        case (Held(one), Held(other, created)):
            assert (other, created) == (one, False)
        case (Booked(sold), Booked(resold, created)):
            assert (resold, created) == (sold, False)
        case (Kept(one), Kept(other)):
            assert other == one
        case (Exchanged(sold), Exchanged(resold, is_new)):
            assert (resold, is_new) == (sold, False)
        case (Cancelled(sold), Cancelled(resold)):
            assert resold == sold
        case (Offered(one), Offered(other)):
            assert other == one
        case (Withdrawn(), Withdrawn()):
            assert not again.transfers
        case (ReleasedAll(), ReleasedAll(seat_ids)):
            assert seat_ids == ()
        case (Expired(), Expired(count)) | (Closed(), Closed(count)):
            assert count == 0
        case (Blocked(seats), Blocked(still)):
            assert [seat_id for seat_id, _ in still] == [seat_id for seat_id, _ in seats]
            assert not {said for _, said in still} & {"blocked", "unblocked"}
        case _:
            raise AssertionError(f"{command} was answered with {first!r}, and then with {again.outcome!r}")


def in_the_way(state: ScreeningState, seat_ids: Iterable[int], user_id: int, now: datetime) -> set[int]:
    """Those of the seats that this user cannot take: somebody else has them, or the user has bought them already."""
    claims = (state.claims.get(seat_id) for seat_id in seat_ids)
    return {claim.seat_id for claim in claims if claim and claim.is_live(now) and not claim.is_held_by(user_id)}


def is_still_had(before: Claim, after: Claim | None, now: datetime) -> bool:
    """Whoever had the seat has it, held or booked."""
    return after is not None and after.is_live(now) and after.user_id == before.user_id


def is_blocked(claim: Claim | None) -> bool:
    """The house has taken the seat off sale."""
    return claim is not None and claim.status is ClaimStatus.BLOCKED


def price_of(state: ScreeningState, claim: Claim) -> Money:
    """What the owner of a claim pays, or paid, for the seat."""
    paper: Reservation | Booking
    if claim.booking_id is not None:
        paper = state.bookings[claim.booking_id]
    else:
        assert claim.reservation_id is not None
        paper = state.reservations[claim.reservation_id]
    return paper.prices[claim.seat_id]


def given_back_by(state: ScreeningState, command: Command, now: datetime) -> set[int]:
    """The seats that a command may free although their time is not over."""
    match command:
        case Toggle(buyer, seats):
            return {seat_id for seat_id in seats.ids if seat_id in _held_by(state, buyer.id, now)}
        case Release(_, reservation_id, seat_id):
            return set(state.reservations[reservation_id].prices) if seat_id is None else {seat_id}
        case ReleaseAll(buyer):
            return _held_by(state, buyer.id, now)
        case Cancel(_, booking_id, seat_id):
            return set(state.bookings[booking_id].prices) if seat_id is None else {seat_id}
        case AcceptTransfer(_, code_hash):
            return set(_transfer(state, code_hash).seat_ids)
        case Exchange():
            return set(command.give.ids)
        case Unblock(_, seats):
            return {seat_id for seat_id in seats.ids if is_blocked(state.claims.get(seat_id))}
        case Close() if state.screening.cancelled_at is not None:
            return {claim.seat_id for claim in state.claims.values() if _is_undone_by(command, claim)}
        case _:
            return set()


def _held_by(state: ScreeningState, user_id: int, now: datetime) -> set[int]:
    return {claim.seat_id for claim in state.claims_of(user_id, now) if claim.status is ClaimStatus.HELD}


def _may_be_taken_again(state: ScreeningState, reservation: Reservation, user_id: int, now: datetime) -> bool:
    """Is it a hold of this user that ran out, but not longer ago than a hold may last?"""
    is_theirs = reservation.user_id == user_id and reservation.status_at(now) is ReservationStatus.EXPIRED
    return is_theirs and now - reservation.expires_at <= state.screening.longest_hold


def _is_undone_by(command: Close, claim: Claim) -> bool:
    """Does the closing name this hold, or this booking?"""
    if claim.status is ClaimStatus.HELD:
        return claim.reservation_id in command.reservation_ids
    return claim.booking_id in command.booking_ids


def _transfer(state: ScreeningState, code_hash: bytes) -> Transfer:
    (transfer,) = (each for each in state.transfers.values() if each.code_hash == code_hash)
    return transfer


def _wanted_by(
    state: ScreeningState, command: Hold | Toggle | Book | Extend | Confirm | AcceptTransfer
) -> Iterable[int]:
    if isinstance(command, AcceptTransfer):
        return _transfer(state, command.code_hash).seat_ids
    if isinstance(command, Extend | Confirm):
        return state.reservations[command.reservation_id].prices
    return command.seats.ids


def _asker_of(command: Command) -> int | None:
    return None if isinstance(command, Expire | Block | Unblock | Close) else command.buyer.id


def _whose(command: Command) -> set[int | None]:
    """Who asks, and whose booking an organizer exchanges."""
    return {_asker_of(command)} | ({command.owner_id} if isinstance(command, Exchange) else set())


def _lasting(reservation: Reservation) -> tuple[object, ...]:
    return reservation.id, reservation.user_id, reservation.created_at


def _only_paper(state: ScreeningState, seat_ids: Iterable[int], status: ClaimStatus) -> Reservation | Booking:
    """The one reservation or booking that the claims of these seats name."""
    claims = [state.claims[seat_id] for seat_id in seat_ids]
    assert {claim.status for claim in claims} == {status}
    papers = {claim.reservation_id if status is ClaimStatus.HELD else claim.booking_id for claim in claims}
    (paper_id,) = papers
    assert paper_id is not None
    return state.reservations[paper_id] if status is ClaimStatus.HELD else state.bookings[paper_id]


def _anew(command: Command, new_id: UUID) -> Command:
    """The command as the same caller sends it again: the service gives it a new id."""
    match command:
        case Hold() | Toggle():
            return replace(command, reservation_id=new_id)
        case Confirm() | Book():
            return replace(command, booking_id=new_id)
        case _:
            return command
