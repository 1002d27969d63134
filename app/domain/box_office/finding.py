"""Seats that nobody has named, and single seats that nobody may leave behind (docs/api.md, section 12)."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from app.domain.box_office.addresses import Address
from app.domain.box_office.commands import Find
from app.domain.box_office.limits import paused, within_reservation_limit
from app.domain.box_office.outcomes import Chosen
from app.domain.box_office.screening_state import Decision, ScreeningState
from app.domain.box_office.taking import worn_out
from app.domain.money import Money
from app.domain.people.people import Person
from app.domain.refusals import Flaw, Flawed, LeavesSingleSeat, NotEnoughSeats
from app.domain.seat_finding.best_available import best_available
from app.domain.seat_finding.floor import Floor
from app.domain.seat_finding.orphans import OrphanRule, refuses, stranded
from app.domain.seat_finding.suggestions import suggestions
from app.domain.seat_finding.wishes import Found, NotEnough, Wish
from app.domain.seats import Seat


def find(
    state: ScreeningState, wish: Wish, now: datetime, without: Collection[int] = (), *, at_any_time: bool = False
) -> Found:
    """The best seats of those that are free, and not among the ids `without`. `at_any_time`: also if sales are closed.

    Raises Flawed if the house or the screening knows nothing of the kind, SalesClosed, LimitExceeded, NotEnoughSeats.
    """
    floor = _floor_of(state)
    screening = state.screening
    _must_fit(state, floor, wish)
    if not at_any_time:
        screening.must_be_on_sale(now)
    within_reservation_limit(state, wish.count)
    released = screening.releases_reserved_places
    if without:
        free = floor.free & ~floor.picture.mask(without)
        found = best_available(floor.picture, free, wish, screening.prices, released=released)
    else:
        found = floor.best(wish, screening.prices, released=released)
    if isinstance(found, NotEnough):
        raise NotEnoughSeats(wish.count, found.available, found.largest_block)
    return found


def find_to_hold(state: ScreeningState, wish: Wish, user_id: int, address: Address | None, now: datetime) -> Found:
    """As `find`. Seats that this user has held for as long as they may, or that pause for this address, are found
    only if there are no others.
    """
    if avoided := {*worn_out(state, user_id, now), *paused(state, address, now)}:
        with suppress(NotEnoughSeats):
            return find(state, wish, now, without=avoided)
    return find(state, wish, now)


def choose(state: ScreeningState, command: Find, now: datetime) -> Decision:
    """What `find` finds. Nothing changes."""
    wish = command.wish
    if command.max_price_minor is not None:
        wish = replace(wish, max_price=Money(command.max_price_minor, state.screening.currency))
    found = find(state, wish, now)
    return Decision(Chosen(found.seats, found.adjacent))


def is_bound(state: ScreeningState, buyer: Person) -> bool:
    """Whether the orphan rule binds this buyer: all but organizers, where it is on."""
    return state.screening.orphan_rule is not OrphanRule.OFF and not buyer.runs_the_house


def must_leave_no_single(state: ScreeningState, seats: Sequence[Seat], given: Collection[int] = ()) -> None:
    """Raises LeavesSingleSeat if the orphan rule refuses this choice. Seats that the buyer holds already are no part
    of it. `given` are the ids of seats that are given for it: they are free then."""
    floor, rule = _floor_of(state), state.screening.orphan_rule
    picture, released = floor.picture, state.screening.releases_reserved_places
    ids = [seat.id for seat in seats]
    chosen, back = picture.mask(ids), picture.mask(given)
    if refuses(picture, floor.free | back, chosen, rule, released=released, given=back):
        alone = stranded(picture, floor.free | back, chosen, rule, released=released)
        instead = suggestions(picture, floor.free, ids, released=released)
        raise LeavesSingleSeat(
            tuple(seat.label for seat in alone), tuple(tuple(seat.label for seat in block) for block in instead)
        )


def _floor_of(state: ScreeningState) -> Floor:
    assert state.floor is not None  # noqa: S101 (the box office reads it for every command that asks)
    return state.floor


def _must_fit(state: ScreeningState, floor: Floor, wish: Wish) -> None:
    if wish.section is None and wish.category is None and wish.max_price is None:
        return
    flaws: list[Flaw] = []
    for name, wanted, known in (
        ("section", wish.section, floor.picture.sections),
        ("category", wish.category, floor.picture.categories),
    ):
        if wanted is not None and wanted not in known:
            allowed = tuple(known)
            message = f"The house has no such {name}. It has: {', '.join(allowed[:10]) or 'none'}."
            flaws.append(Flaw(("best_available", name), f"{name}_unknown", message, allowed=allowed))
    currency = state.screening.currency
    if wish.max_price is not None and wish.max_price.currency != currency:
        message = f"The prices of this screening are in {currency}. Say the most that a seat may cost in {currency}."
        where = ("best_available", "max_price", "currency")
        flaws.append(Flaw(where, "currency_differs", message, allowed=(currency,)))
    if flaws:
        raise Flawed(tuple(flaws))
