"""Blocks with as many seats of each category as others have."""

from collections.abc import Sequence

from app.domain.seat_finding.blocks import starts_of
from app.domain.seat_finding.picture import Picture, ones


class Kinds:
    """How many seats of each category are wanted: as many as the seats at these places have."""

    def __init__(self, picture: Picture, places: Sequence[int]) -> None:
        self._category = picture.category
        self._as_wanted = sorted(picture.category[place] for place in places)
        self._masks = [picture.category_masks[category] for category in set(self._as_wanted)]
        self.size = len(places)
        self.are_alike = len(self._masks) == 1
        """Are all of one category?"""

    def likely(self, starts: int, free: int) -> int:
        """Those of these blocks of free seats that may have them: most blocks are of one category, and go at once."""
        if self.are_alike:
            return starts & starts_of(free & self._masks[0], self.size)
        for mask in self._masks:
            starts &= ~starts_of(free & mask, self.size)
        return starts

    def has(self, start: int) -> bool:
        """Whether a block that may have them does."""
        return self.are_alike or sorted(self._category[start : start + self.size]) == self._as_wanted

    def are_in(self, starts: int) -> bool:
        """Whether any of these blocks, which may have them, does."""
        return starts != 0 and (self.are_alike or any(map(self.has, ones(starts))))
