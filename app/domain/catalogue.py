"""What anybody may look up: theaters, and screenings as they are listed."""

from dataclasses import dataclass
from datetime import datetime

from app.domain.screenings import Screening


@dataclass(frozen=True, slots=True)
class Theater:
    """A house. `screenings_count` are those to come; the revisions count its own edits and those of its seats."""

    id: int
    name: str
    timezone: str
    revision: int
    layout_revision: int
    seat_count: int
    screenings_count: int


@dataclass(frozen=True, slots=True)
class ListedScreening:
    """A screening with what the rules need not know of it, and whether it was on sale when it was read.

    `layout_revision` is that of the seats on which it stands.
    """

    screening: Screening
    title: str
    orphan_rule: bool
    layout_revision: int
    version: int
    on_sale: bool


@dataclass(frozen=True, slots=True)
class ScreeningFilter:
    """Which screenings are asked for: of one theater, starting at `starts_from` or later and before `starts_before`."""

    theater_id: int | None = None
    starts_from: datetime | None = None
    starts_before: datetime | None = None
