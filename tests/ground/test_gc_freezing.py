"""The collector leaves alone what lives long, and cycles are freed all the same."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from app.server import gc_freezing as garbage
from app.server.gc_freezing import Sparing


class Thing:
    """May be part of a cycle, and may be watched."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True, scope="module")
def _as_in_a_program() -> Iterator[None]:
    """Nothing is frozen at first; afterwards what the tests themselves had frozen is so again."""
    gc.unfreeze()
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture
def sparing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sparing]:
    monkeypatch.setattr(garbage, "LONG_SECONDS", 0.0)  # every look at everything is a long one
    sparing = Sparing()
    sparing.start()
    yield sparing
    sparing.stop()


def is_looked_at(thing: object) -> bool:
    return any(each is thing for each in gc.get_objects())


def test_what_survives_a_long_look_is_not_looked_at_again(sparing: Sparing) -> None:
    thing = Thing()
    assert is_looked_at(thing)

    gc.collect()

    assert not is_looked_at(thing)


def test_short_looks_freeze_nothing(sparing: Sparing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "LONG_SECONDS", 3600.0)
    thing = Thing()

    gc.collect()

    assert is_looked_at(thing)


def test_a_frozen_cycle_is_freed_when_as_much_has_been_frozen_again(
    sparing: Sparing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(garbage, "ROOM", 0)
    monkeypatch.setattr(garbage, "SELDOM", 1)
    thing = Thing()
    watched = weakref.ref(thing)
    gc.collect()
    del thing
    gc.collect()
    assert watched() is not None

    many = [[] for _ in range(2 * gc.get_freeze_count())]
    gc.collect()
    gc.collect()

    assert watched() is None
    assert many


def test_for_a_large_house_not_everything_is_looked_at(sparing: Sparing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "SELDOM", 1)
    thing = Thing()
    gc.collect()
    assert not is_looked_at(thing)

    many = [[] for _ in range(2 * gc.get_freeze_count())]
    gc.collect()

    assert gc.get_freeze_count() > len(many)
    assert not is_looked_at(thing)


def test_each_generation_is_looked_at_before_it_is_large(sparing: Sparing) -> None:
    assert gc.get_threshold() == (garbage.YOUNG, *garbage.OFTEN)


def test_afterwards_everything_is_as_before() -> None:
    callbacks = list(gc.callbacks)
    sparing = Sparing()

    sparing.start()
    sparing.stop()

    assert gc.callbacks == callbacks
    assert gc.get_freeze_count() == 0
