"""What takes long is made in a thread; what is small is made at once, and nobody waits."""

import time
import weakref
from threading import get_ident
from typing import Any

import pytest
from pydantic import BaseModel

from app.services.running.beside import AT_ONCE, beside, take_apart


async def test_few_things_are_made_without_waiting() -> None:
    making = beside(AT_ONCE, get_ident)

    with pytest.raises(StopIteration) as done:
        making.send(None)

    assert done.value.value == get_ident()


async def test_many_things_are_made_elsewhere() -> None:
    assert await beside(AT_ONCE + 1, get_ident) != get_ident()


@pytest.mark.parametrize("how_many", [1, AT_ONCE + 1])
async def test_what_is_raised_is_raised(how_many: int) -> None:
    with pytest.raises(ValueError, match="no number"):
        await beside(how_many, int, "no number")


class Row(BaseModel):
    """Something that may be watched, with something in it."""

    within: Any = None


def test_what_is_large_is_freed_from_the_outside_to_the_inside_piece_by_piece() -> None:
    """Freed in one go, what is within something is freed before the call that frees it is over."""
    freed: list[str] = []
    inner = Row()
    rows = [Row(within=(inner,)) for _ in range(3)]
    house = Row(within={"rows": rows})
    for name, thing in (("house", house), ("first", rows[0]), ("inner", inner)):
        weakref.finalize(thing, freed.append, name)
    del inner, thing
    things = [house]
    del house, rows

    take_apart(things)

    assert freed == ["house", "first", "inner"]
    assert things == []


def test_whoever_has_just_made_it_may_let_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    freed: list[str] = []
    inner = Row()
    house = Row(within=(inner,))
    weakref.finalize(house, freed.append, "house")
    weakref.finalize(inner, freed.append, "inner")
    del inner
    made = [house]
    things = [house]
    del house
    monkeypatch.setattr(time, "sleep", lambda _: made.clear())

    take_apart(things)

    assert made == []
    assert freed == ["house", "inner"]


def test_what_somebody_else_has_stays_as_it_is() -> None:
    kept = Row(within=[Row(within=[1, 2])])
    things = [[kept, 3], kept]

    take_apart(things)

    assert kept == Row(within=[Row(within=[1, 2])])
