"""From the house as it stands to the one that is planned: who stays, who is new, who goes (docs/api.md, section 4).

A seat that is there before and after is the same seat: it keeps its id, with it whatever people have, and its label.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias, TypeVar

from app.domain.house.layouts import SeatDraft, label, short_labels_clash
from app.domain.house.planning import SeatInUse
from app.domain.refusals import LayoutInUse
from app.domain.seats import Layout, Seat
from app.domain.values import value

Place: TypeAlias = tuple[str, str, int]
"""Section, row and number."""

_Name = TypeVar("_Name", str, Place)


@value(frozen=True, slots=True)
class Rebuilding:
    """What becomes of a house: each seat as it will be with the id that it keeps (None: a new seat), who goes, and the
    ids of those that were taken out earlier and come back. `of_revision` is that of the house as it stands."""

    of_revision: int
    seats: tuple[tuple[SeatDraft, int | None], ...]
    gone: tuple[Seat, ...]
    back: frozenset[int]


def rebuild(standing: Layout, drafts: Sequence[SeatDraft], former: Mapping[int, Place] | None = None) -> Rebuilding:
    """Find the seats of the plan in the house as it stands, then among those that were taken out of it, with their
    places in `former`. What is looked for, in this order:

    1. The label that the plan gives: whoever has that label is the seat, wherever it stands from now on.
    2. Section, row and number. A label that is given is a new name for this seat.
    3. The default label that it would have in a new house.

    A seat that is found so keeps its label, unless the plan gives another one. Raises LayoutRefused when labels clash.
    """
    search = _Search(standing, drafts, former or {})
    search.by_given_label()
    search.by_place()
    search.by_default_label()
    labelled = label(drafts, search.labels())
    return Rebuilding(
        of_revision=standing.revision,
        seats=tuple(zip(labelled, search.found, strict=True)),
        gone=tuple(seat for seat in standing.seats if seat.id not in search.claimed),
        back=frozenset(search.claimed - standing.by_id.keys()),
    )


def must_leave_alone(gone: Sequence[Seat], in_use: Mapping[int, SeatInUse]) -> None:
    """Raises LayoutInUse naming those of the seats that are no longer in the house and that are in use, and how."""
    if taken := tuple(in_use[seat.id].of(seat) for seat in gone if seat.id in in_use):
        raise LayoutInUse(taken)


class _Search:
    """Which draft is which seat. `found` has an id for each draft, or None; no seat is found twice."""

    def __init__(self, standing: Layout, drafts: Sequence[SeatDraft], former: Mapping[int, Place]) -> None:
        self._standing = standing
        self._drafts = drafts
        # The house as it stands comes first; of several that were taken out of it, the last one.
        self._by_label = ({name: seat.id for name, seat in standing.by_label.items()}, _last_of(standing.former))
        self._by_place = ({(each.section, each.row, each.number): each.id for each in standing.seats}, _last_of(former))
        self.found: list[int | None] = [None] * len(drafts)
        self.claimed: set[int] = set()

    def by_given_label(self) -> None:
        for at, draft in enumerate(self._drafts):
            if draft.given_label is not None:
                self._claim(at, self._by_label, draft.given_label)

    def by_place(self) -> None:
        for at, draft in enumerate(self._drafts):
            self._claim(at, self._by_place, draft.place)

    def by_default_label(self) -> None:
        are_long = short_labels_clash(self._drafts)
        for at, draft in enumerate(self._drafts):
            if draft.given_label is None:
                self._claim(at, self._by_label, draft.long_label if are_long else draft.short_label)

    def labels(self) -> list[str | None]:
        """The label that each keeps. One that comes back does without, where another one has its label by now."""
        kept: list[str | None] = [None] * len(self._drafts)
        in_use = {draft.given_label for draft in self._drafts}
        for names in ({seat.id: seat.label for seat in self._standing.seats}, self._standing.former):
            for at, seat_id in enumerate(self.found):
                name = None if seat_id is None or self._drafts[at].given_label else names.get(seat_id)
                if name is not None and name not in in_use:
                    kept[at] = name
                    in_use.add(name)
        return kept

    def _claim(self, at: int, known: Iterable[Mapping[_Name, int]], name: _Name) -> None:
        """This draft is the first seat of that name that no other draft is, if it is none yet."""
        if self.found[at] is not None:
            return
        for ids in known:
            seat_id = ids.get(name)
            if seat_id is not None and seat_id not in self.claimed:
                self.found[at] = seat_id
                self.claimed.add(seat_id)
                return


def _last_of(names: Mapping[int, _Name]) -> dict[_Name, int]:
    return {name: seat_id for seat_id, name in names.items()}
