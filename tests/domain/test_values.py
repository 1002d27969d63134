"""Values are frozen dataclasses like all others, however they are made."""

import copy
import pickle
from dataclasses import FrozenInstanceError, field, fields, is_dataclass, replace

import pytest

from app.domain.values import value


@value(frozen=True, slots=True)
class Seat:
    """Some members with defaults, and one that is worked out."""

    row: str
    number: int
    category: str = "standard"
    also: dict[str, int] = field(default_factory=dict)
    label: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", f"{self.row}{self.number}")


@value(frozen=True, slots=True, eq=False)
class Ticket:
    """Each is another."""

    seat: Seat


def test_it_has_what_it_was_given_and_the_defaults() -> None:
    seat = Seat("A", number=1)

    assert (seat.row, seat.number, seat.category, seat.also, seat.label) == ("A", 1, "standard", {}, "A1")
    assert repr(seat) == "Seat(row='A', number=1, category='standard', also={}, label='A1')"
    assert type(seat) is Seat
    assert is_dataclass(Seat)
    assert [each.name for each in fields(Seat)] == ["row", "number", "category", "also", "label"]


def test_a_default_that_is_made_is_made_for_each() -> None:
    assert Seat("A", 1).also is not Seat("A", 1).also


def test_nothing_of_it_can_be_changed_or_added() -> None:
    seat = Seat("A", 1)

    with pytest.raises(FrozenInstanceError):
        seat.number = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del seat.row
    with pytest.raises((AttributeError, TypeError)):
        seat.colour = "red"  # type: ignore[attr-defined]


def test_it_is_compared_by_what_it_has() -> None:
    assert Seat("A", 1) == Seat("A", 1)
    assert Seat("A", 1) != Seat("A", 2)
    assert Ticket(Seat("A", 1)) != Ticket(Seat("A", 1))


def test_copies_are_values_too() -> None:
    seat = Seat("A", 1)

    for copied in (replace(seat), copy.copy(seat), copy.deepcopy(seat), pickle.loads(pickle.dumps(seat))):  # noqa: S301 - ours
        assert copied == seat
        with pytest.raises(FrozenInstanceError):
            copied.number = 2  # type: ignore[misc]
    assert replace(seat, number=2).label == "A2"


@pytest.mark.parametrize(("args", "kwargs"), [((), {}), (("A",), {}), (("A", 1), {"row": "B"}), (("A", 1), {"x": 1})])
def test_what_is_missing_or_too_much_is_told(args: tuple[object, ...], kwargs: dict[str, object]) -> None:
    with pytest.raises(TypeError, match="__init__"):
        Seat(*args, **kwargs)  # type: ignore[arg-type]
