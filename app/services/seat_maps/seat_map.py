"""The map of one screening: facts, what they mean now, and the JSON.

It follows the news of each batch, and the time. Only what changes is written again.
"""

import asyncio
from collections.abc import Collection
from datetime import datetime
from itertools import islice

from app.domain.refusals import Flaw, Flawed
from app.domain.seat_finding.floor import Floor
from app.domain.seat_finding.picture import Picture
from app.domain.seat_finding.suggestions import suggestions
from app.domain.seat_maps.nearness import Free
from app.domain.seat_maps.occupancy import Occupancy, Seating, Taken
from app.domain.seat_maps.runs import Left
from app.domain.seats import SeatStatus
from app.schemas.availability import Pieces, SeatTexts, compact_json, counts_of, full_json, status_for
from app.schemas.existing_clients import bare_list_json, personal_list_json
from app.services.news import News
from app.services.running.beside import AT_ONCE, beside
from app.services.seat_maps.packed import Packed


class SeatMap:
    """A map that is asked again and again while the screening changes."""

    def __init__(self, occupancy: Occupancy, texts: SeatTexts, now: datetime) -> None:
        self.screening_id = occupancy.screening_id
        self.map_version = occupancy.map_version
        self.version = occupancy.version
        self.texts = texts
        self._seating = Seating(occupancy.claims, now)
        self._counts = counts_of(texts.layout, self._seating.taken)
        self._texts: Pieces | None = None
        self._short_texts: Pieces | None = None
        self._left: Left | None = None
        self._free: Free | None = None
        self._whole: Packed | None = None
        self._short: Packed | None = None
        self._free_labels: dict[int | None, tuple[str, ...]] = {}
        self._floor: Floor | None = None
        self._suggestions: dict[tuple[tuple[int, ...], bool], tuple[tuple[str, ...], ...]] = {}

    def as_of(self, now: datetime) -> "SeatMap":
        """This map at `now` (UTC)."""
        if ended := self._seating.pass_until(now):
            for seat_id in ended:
                self._write_anew(seat_id, SeatStatus.RESERVED, SeatStatus.AVAILABLE)
            self._forget_bytes()
        return self

    def take_in(self, news: News, map_version: int) -> bool:
        """Take in these news, after which the screening is in this map version.

        False if they do not follow what is known, or prices or layout have changed too; then nothing was taken in.
        """
        edits, known_edits = map_version - news.version, self.map_version - self.version
        if not news.after <= self.version <= news.version or edits != known_edits:
            return False
        if news.version > self.version:
            for change in news.changes:  # of one seat the last one counts, also when the first are known already
                status = SeatStatus(change.status)
                is_free = status is SeatStatus.AVAILABLE
                self._change(change.seat_id, None if is_free else Taken(change.seat_id, status, change.expires_at))
            self.version, self.map_version = news.version, map_version
            self._forget_bytes()
        return True

    @property
    def etag(self) -> str:
        """Changes with every change, and with every hold that runs out before it is swept.

        It names the screening, because a theater's path shows its next screening, which is another one tomorrow.
        """
        return f'"{self.screening_id:x}.{self.map_version:x}.{len(self._seating.run_out):x}"'

    def personal_etag(self, user_id: int) -> str:
        """The ETag of one user's view."""
        return f'{self.etag[:-1]}.{user_id:x}"'

    @property
    def counts(self) -> dict[str, int]:
        """How many seats have each status."""
        return self._counts

    def full(self) -> bytes:
        """The full form."""
        return self.whole().plain

    def compact(self) -> bytes:
        """The compact form."""
        return self.short().plain

    def whole(self) -> Packed:
        """The full form, to be sent plain or packed."""
        if self._whole is None:
            self._whole = Packed(full_json(self.screening_id, self.version, self._counts, self._pieces().blocks()))
        return self._whole

    async def write_up(self) -> None:
        """Write most of what `whole` puts together. A large map is written in portions, others are served between."""
        if self._whole is None and len(self.texts.layout.seats) > AT_ONCE:
            if not self.texts.are_written:
                await asyncio.to_thread(self.texts.write)
            while not self._pieces().write_some():  # noqa: ASYNC110 - it waits for nothing
                await asyncio.sleep(0)

    def short(self) -> Packed:
        """The compact form, to be sent plain or packed."""
        if self._short is None:
            texts, taken = self.texts, self._seating.taken
            if self._left is None or self._short_texts is None:
                self._left = texts.runs.left(taken)
                self._short_texts = Pieces(len(texts.layout.seats), lambda among: texts.taken_of(taken, among))
            short, left = self._short_texts.blocks(), self._left.sections()
            head = texts.reserved_places
            self._short = Packed(compact_json(self.screening_id, self.version, self._counts, left, short, head))
        return self._short

    async def filtered(self, status: SeatStatus | None, section: str | None) -> bytes:
        """The full form with only the seats of this status, this section, or both. Counts are of the whole theater.

        Raises Flawed when there is no such section.
        """
        return await self._written(status, section, me=None)

    async def personal(self, user_id: int, status: SeatStatus | None, section: str | None) -> bytes:
        """As `filtered`, as this user sees it. The facts must have user ids."""
        return await self._written(status, section, me=user_id)

    async def free_list(self) -> bytes:
        """The free seats as a bare list, for existing clients."""
        texts, taken = self.texts, self._seating.taken
        free = [seat for seat in texts.layout.seats if seat.id not in taken]
        return await beside(len(free), bare_list_json, self.screening_id, free, texts.prices)

    async def personal_list(self, user_id: int, lost: Collection[int]) -> bytes:
        """All seats as a bare list, for existing clients, as this user sees them.

        `lost` are the seats whose last change ended a hold of theirs.
        """
        seats, taken = self.texts.layout.seats, dict(self._seating.taken)
        return await beside(len(seats), personal_list_json, seats, taken, user_id, lost)

    async def nearest_labels(self, near: int | None) -> tuple[str, ...]:
        """As `free_labels`. What finds the nearest seats takes a while to build, once for each large house."""
        if near is not None and self._free is None and near not in self._free_labels:
            texts = self.texts
            await beside(len(texts.layout.seats), lambda: texts.nearness)
        return self.free_labels(near)

    def free_labels(self, near: int | None, at_most: int = 50) -> tuple[str, ...]:
        """The labels of at most `at_most` free seats: those nearest to the seat `near` first, else in their order."""
        if near not in self._free_labels:
            self._free_labels[near] = self._find_free(near, at_most)
        return self._free_labels[near]

    def known_suggestions(self, wanted: tuple[int, ...], *, released: bool) -> tuple[tuple[str, ...], ...] | None:
        """As `suggestions`, if somebody asked for the same since the last change: many want the same seats."""
        return self._suggestions.get((wanted, released))

    def suggestions(self, picture: Picture, wanted: tuple[int, ...], *, released: bool) -> tuple[tuple[str, ...], ...]:
        """The labels of up to three blocks that may be taken instead of these seats (ids), by this picture of the rows.

        `released`: reserved places are on sale as all others.
        """
        known = self._suggestions.get((wanted, released))
        if known is None:
            if self._floor is None or self._floor.picture is not picture:
                self._floor = Floor(picture, picture.free(self._seating.taken))
            blocks = suggestions(picture, self._floor.free, wanted, released=released)
            known = tuple(tuple(seat.label for seat in block) for block in blocks)
            self._suggestions[wanted, released] = known
        return known

    def _change(self, seat_id: int, claim: Taken | None) -> None:
        before = self._seating.taken.get(seat_id)
        self._seating.change(seat_id, claim)
        status_before = before.status if before else SeatStatus.AVAILABLE
        self._write_anew(seat_id, status_before, claim.status if claim else SeatStatus.AVAILABLE)

    def _write_anew(self, seat_id: int, before: SeatStatus, after: SeatStatus) -> None:
        """Note that a seat has changed. One that is not in this layout is ignored."""
        position = self.texts.position.get(seat_id)
        if position is None:
            return
        self._counts[before] -= 1
        self._counts[after] += 1
        for pieces in (self._texts, self._short_texts):
            if pieces is not None:
                pieces.change(position)
        is_free = after is SeatStatus.AVAILABLE
        if self._left is not None:
            self._left.mark(seat_id, is_free)
        if self._free is not None:
            self._free.mark(position, is_free)
        if self._floor is not None:
            self._floor.mark(seat_id, is_free)

    def _forget_bytes(self) -> None:
        self._whole = self._short = None
        self._free_labels = {}
        self._suggestions = {}

    def _pieces(self) -> Pieces:
        if self._texts is None:
            texts, taken = self.texts, self._seating.taken
            self._texts = Pieces(len(texts.layout.seats), lambda among: texts.of(taken, among=among))
        return self._texts

    async def _written(self, status: SeatStatus | None, section: str | None, me: int | None) -> bytes:
        texts = self.texts
        if section is not None and section not in texts.sections:
            raise _unknown_section(texts.sections)
        # As they are now: meanwhile they may change.
        screening_id, version, counts, taken = (
            self.screening_id,
            self.version,
            {**self._counts},
            {**self._seating.taken},
        )

        def write() -> bytes:
            chosen = [
                text
                for seat, text in zip(texts.layout.seats, texts.of(taken, me), strict=True)
                if (section is None or seat.section == section)
                and (status is None or status_for(taken.get(seat.id), me) is status)
            ]
            return full_json(screening_id, version, counts, chosen)

        return await beside(len(texts.layout.seats), write)

    def _find_free(self, near: int | None, at_most: int) -> tuple[str, ...]:
        layout, taken = self.texts.layout, self._seating.taken
        here = None if near is None else layout.by_id.get(near)
        if here is None:
            return tuple(islice((seat.label for seat in layout.seats if seat.id not in taken), at_most))
        if self._free is None:
            gone = (position for seat_id in taken if (position := self.texts.position.get(seat_id)) is not None)
            self._free = self.texts.nearness.without(gone)
        return tuple(seat.label for seat in self._free.nearest(here, at_most))


def _unknown_section(sections: Collection[str]) -> Flawed:
    known = ", ".join(list(sections)[:10]) or "none"
    message = f"The theater has no such section. Its sections are: {known}."
    return Flawed((Flaw(("section",), "section_unknown", message, place="query"),))
