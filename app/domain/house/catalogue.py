"""What everybody may read: theaters, and screenings as they are listed."""

from datetime import datetime

from app.domain.screenings import Screening
from app.domain.values import value


@value(frozen=True, slots=True)
class Theater:
    """A theater.

    `screenings_count` are upcoming ones; the revisions count the edits of the theater and of its layout.
    """

    id: int
    name: str
    timezone: str
    revision: int
    layout_revision: int
    seat_count: int
    screenings_count: int


@value(frozen=True, slots=True)
class ListedScreening:
    """A screening with what the rules need not know of it, and whether it was on sale when it was read.

    `layout_revision` is that of the seats on which it stands.
    """

    screening: Screening
    title: str
    layout_revision: int
    version: int
    on_sale: bool


@value(frozen=True, slots=True)
class ScreeningFilter:
    """Which screenings to list: of one theater, with a start from `starts_from` on and before `starts_before` (UTC)."""

    theater_id: int | None = None
    starts_from: datetime | None = None
    starts_before: datetime | None = None
