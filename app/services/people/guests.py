"""Guests for callers without a token: an id for each, before anything is written.

The box office writes a guest down together with what they take: whoever gets nothing leaves no row. An id that nobody
used is lost, which is no harm.
"""

from collections.abc import Iterator

from app.db.people.user_ids import new_ids
from app.domain.people import Person


class Guests:
    """One per process. Its ids come in blocks, so that the index of users grows in a few places only."""

    def __init__(self) -> None:
        self._ids: Iterator[int] = iter(())

    def newcomer(self) -> Person:
        """A guest who is not written down yet."""
        user_id = next(self._ids, None)
        if user_id is None:
            self._ids = iter(new_ids())
            user_id = next(self._ids)
        return Person(user_id, is_guest=True, is_new=True)
