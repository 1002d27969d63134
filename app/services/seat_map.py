"""The map of one screening in one state: facts, what they mean now, and the bytes that say so, each written once."""

from collections.abc import Collection
from datetime import datetime
from itertools import islice

from app.domain.occupancy import Occupancy
from app.domain.seats import SeatStatus
from app.schemas.availability import SeatTexts, compact_json, counts_of, full_json, status_for
from app.schemas.existing_clients import bare_list_json, personal_list_json


class SeatMap:
    """Asked again and again while its state lasts; it draws new conclusions when a hold's time is over."""

    def __init__(self, occupancy: Occupancy, texts: SeatTexts, now: datetime) -> None:
        self.occupancy = occupancy
        self.texts = texts
        self._full: bytes | None = None
        self._compact: bytes | None = None
        self._free: dict[int | None, tuple[str, ...]] = {}
        self._found = occupancy.at(now)
        self._counts = counts_of(texts.layout, self._found)

    def as_of(self, now: datetime) -> "SeatMap":
        """This map, true at this moment (UTC)."""
        if self._found.hold_at(now):
            return self
        self._found = self.occupancy.at(now)
        self._counts = counts_of(self.texts.layout, self._found)
        self._full = self._compact = None
        self._free = {}
        return self

    @property
    def etag(self) -> str:
        """Moves with every change, and with every hold that runs out before it is swept.

        It names the screening: at one address, that of a theater's next screening, there may be another one tomorrow.
        """
        return f'"{self.occupancy.screening_id:x}.{self.occupancy.state:x}.{self._found.run_out:x}"'

    def personal_etag(self, user_id: int) -> str:
        """The tag of one user's own view."""
        return f'{self.etag[:-1]}.{user_id:x}"'

    @property
    def counts(self) -> dict[str, int]:
        """How many seats are what."""
        return self._counts

    def full(self) -> bytes:
        """Every seat written out."""
        if self._full is None:
            self._full = full_json(self.occupancy, self._counts, self.texts.of(self._found.taken))
        return self._full

    def compact(self) -> bytes:
        """Only what is taken."""
        if self._compact is None:
            self._compact = compact_json(self.occupancy, self._counts, self._found, self.texts.runs)
        return self._compact

    def filtered(self, status: SeatStatus | None, section: str | None) -> bytes:
        """As full, with only the seats of a status, of a section, or both. Counts are those of the whole house."""
        return self._written(status, section, me=None)

    def personal(self, user_id: int, status: SeatStatus | None, section: str | None) -> bytes:
        """As filtered, told from where this user stands. The facts must say whose the claims are."""
        return self._written(status, section, me=user_id)

    def free_list(self) -> bytes:
        """The free seats as a bare list, as existing clients know it."""
        free = (seat for seat in self.texts.layout.seats if seat.id not in self._found.taken)
        return bare_list_json(free, self.occupancy)

    def personal_list(self, user_id: int, lost: Collection[int]) -> bytes:
        """All seats as a bare list, as existing clients know it, told from where this user stands.

        `lost` are the seats whose last change took them from this user.
        """
        return personal_list_json(self.texts.layout.seats, self._found, user_id, lost)

    def free_labels(self, near: int | None, at_most: int = 50) -> tuple[str, ...]:
        """Labels of seats that are free: the nearest to the seat with the id `near` first, otherwise in their order."""
        if near not in self._free:
            self._free[near] = self._find_free(near, at_most)
        return self._free[near]

    def _written(self, status: SeatStatus | None, section: str | None, me: int | None) -> bytes:
        texts = self.texts.of(self._found.taken, me)
        seats = self.texts.layout.seats
        chosen = [
            text
            for seat, text in zip(seats, texts, strict=True)
            if (section is None or seat.section == section)
            and (status is None or status_for(self._found.taken.get(seat.id), me) is status)
        ]
        return full_json(self.occupancy, self._counts, chosen)

    def _find_free(self, near: int | None, at_most: int) -> tuple[str, ...]:
        seats = self.texts.layout.seats if near is None else self.texts.near(near)
        free = (seat.label for seat in seats if seat.id not in self._found.taken)
        return tuple(islice(free, at_most))
