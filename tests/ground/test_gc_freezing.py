"""The collector leaves alone what lives long, and cycles are freed all the same."""

import gc
import weakref
from collections.abc import Iterator
from threading import Event

import pytest

from app.server import gc_freezing as garbage
from app.server.gc_freezing import Sparing
from tests.patience import PATIENCE_SECONDS


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
    monkeypatch.setattr(garbage, "EACH_SECONDS", 3600.0)  # the tests say when it is seen whether one is due
    monkeypatch.setattr(garbage, "LASTING", 1)
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


def as_if_memory_had_grown(sparing: Sparing, monkeypatch: pytest.MonkeyPatch, times: int = 2) -> None:
    """From now on the memory is so many times what it was at the last look at everything."""
    monkeypatch.setattr(garbage, "ROOM", 0)
    blocks = times * sparing._blocks + 1
    monkeypatch.setattr(garbage.sys, "getallocatedblocks", lambda: blocks)


def frozen_cycle() -> weakref.ref[Thing]:
    """A cycle that was in use when it was frozen, and is not any more."""
    thing = Thing()
    gc.collect()
    assert not is_looked_at(thing)
    return weakref.ref(thing)


def test_a_frozen_cycle_is_freed_when_the_memory_has_doubled_and_few_wait(
    sparing: Sparing, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = frozen_cycle()
    sparing.look(is_idle=True)
    gc.collect()
    assert watched() is not None

    as_if_memory_had_grown(sparing, monkeypatch)
    sparing.look(is_idle=True)

    assert watched() is None


def test_while_many_wait_not_everything_is_looked_at(sparing: Sparing, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = frozen_cycle()

    as_if_memory_had_grown(sparing, monkeypatch)
    sparing.look(is_idle=False)

    assert watched() is not None


def test_if_it_never_becomes_quiet_cycles_are_freed_all_the_same(
    sparing: Sparing, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = frozen_cycle()

    as_if_memory_had_grown(sparing, monkeypatch, times=4)
    sparing.look(is_idle=False)

    assert watched() is None


def test_for_a_large_house_not_everything_is_looked_at(sparing: Sparing, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = frozen_cycle()

    monkeypatch.setattr(garbage.sys, "getallocatedblocks", lambda: 2 * sparing._blocks + garbage.ROOM)
    sparing.look(is_idle=True)

    assert watched() is not None


def test_for_what_a_large_request_takes_meanwhile_not_everything_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = list[bool]()
    monkeypatch.setattr(Sparing, "_look_at_everything", lambda _: looks.append(True))
    sparing = Sparing()

    def found(*many: bool) -> int:
        for each in many:
            monkeypatch.setattr(garbage.sys, "getallocatedblocks", lambda each=each: 1 + garbage.ROOM * each)
            sparing.look(is_idle=True)
        return len(looks)

    enough = garbage.LASTING
    assert found(*[True] * (enough - 1), False) == 0
    assert found(*[True] * (enough - 1)) == 0
    assert found(True) == 1


def test_it_is_seen_by_itself_whether_that_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = Event()
    monkeypatch.setattr(garbage, "EACH_SECONDS", 0.001)
    monkeypatch.setattr(Sparing, "look", lambda _, *, is_idle: looked.set())
    sparing = Sparing()

    sparing.start()

    try:
        assert looked.wait(PATIENCE_SECONDS)
    finally:
        sparing.stop()


def test_however_much_lived_before_the_next_full_look_comes_soon(sparing: Sparing) -> None:
    """CPython puts it off until a quarter of what survived the last one has come: after a large one for long."""
    full = gc.get_stats()[2]["collections"]

    kept = [[] for _ in range(12 * garbage.YOUNG)]  # type: ignore[var-annotated]

    assert gc.get_stats()[2]["collections"] > full
    assert kept


def test_each_generation_is_looked_at_before_it_is_large(sparing: Sparing) -> None:
    assert gc.get_threshold() == (garbage.YOUNG, *garbage.OFTEN)


def test_afterwards_everything_is_as_before() -> None:
    callbacks = list(gc.callbacks)
    sparing = Sparing()

    sparing.start()
    sparing.stop()

    assert gc.callbacks == callbacks
    assert gc.get_freeze_count() == 0
