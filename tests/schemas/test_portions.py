"""Large JSON is read and written in portions, and says the same as if it were done in one go."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.schemas.format import portions, strict
from app.schemas.format.faults import Malformed
from app.schemas.format.portions import Portions, dump

TEXTS = st.text(st.sampled_from('a"\\[]{},: \u00e9\U0001f600') | st.characters(exclude_categories=["Cs"]), max_size=60)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=30,
)
STYLES: list[dict[str, Any]] = [{"separators": (",", ":")}, {"indent": 1}, {"ensure_ascii": False}]

HOUSE = {
    "sections": [
        {
            "name": "S",
            "rows": [
                {"row": str(row), "seats": [{"number": at, "label": f"{row}:{at}", "x": 0.5} for at in range(100)]}
                for row in range(60)
            ],
        }
    ]
}


def read(text: bytes) -> Any:
    """The value of a text, of which next to nothing is read in one go; None where it is not JSON, or the codes of what
    our rules refuse.
    """
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(portions, "PORTION", 24)
        try:
            return (Portions(text).whole(),)
        except orjson.JSONDecodeError:
            return None
        except Malformed as refused:
            return [error["code"] for error in refused.errors]


def in_one_go(text: bytes) -> Any:
    try:
        return (orjson.loads(text),)
    except orjson.JSONDecodeError:
        return None


@given(VALUES, st.sampled_from(STYLES))
def test_what_is_read_in_portions_is_what_is_written(value: Any, style: dict[str, Any]) -> None:
    text = json.dumps(value, **style).encode()

    assert read(text) == in_one_go(text) == (value,)


@given(VALUES, st.sampled_from(STYLES), st.integers(0, 10_000), st.sampled_from([*b'[]{},:"\\ 1\x0b\xff', None]))
@example([1], STYLES[0], 2, ord(","))
def test_what_is_no_json_in_one_go_is_none_in_portions(
    value: Any, style: dict[str, Any], at: int, change: int | None
) -> None:
    """One of its bytes is another one, or is not there."""
    text = json.dumps(value, **style).encode()
    at %= len(text)
    broken = text[:at] + (b"" if change is None else bytes([change])) + text[at + 1 :]

    found = read(broken)

    assert found in (in_one_go(broken), ["duplicate_key"])


@given(VALUES)
def test_what_is_written_in_portions_is_what_is_written_in_one_go(value: Any) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(portions, "_AT_ONCE", 2)

        assert b"".join(dump(value)) == orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def test_nothing_is_read_or_written_in_one_go_that_is_larger_than_a_portion(monkeypatch: pytest.MonkeyPatch) -> None:
    body, sizes, loads = orjson.dumps(HOUSE), list[int](), orjson.loads
    monkeypatch.setattr(portions, "PORTION", 4_096)
    monkeypatch.setattr(strict.orjson, "loads", lambda text: sizes.append(len(text)) or loads(text))

    assert strict.parse(body) == HOUSE

    assert len(body) > strict.LARGE
    assert max(sizes) <= 4_096 + len("[]")
    assert len(sizes) < 400  # some rows at a time, and not each of their 6,000 seats
    assert max(map(len, dump(HOUSE))) < len(body) / 50


def test_items_with_many_members_are_written_one_by_one() -> None:
    items = [{f"{at}": at for at in range(1_000)} for _ in range(10)]

    assert max(map(len, dump(items))) < len(orjson.dumps(items)) / 9


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"[" * 65 + b"]" * 65, "json_too_deep"),
        (b"[" * 63 + b'{"a":[]}' + b"]" * 63, "json_too_deep"),
        (b'{"a":1,"b":[[]],"a":2}', "duplicate_key"),
        (b'[{"b":[[]]},{"a":1,"a":2}]', "duplicate_key"),
        (b'[[{"a":1,"a":2},1],2]', "duplicate_key"),
    ],
)
def test_the_rules_hold_in_portions_too(text: bytes, code: str) -> None:
    with pytest.raises(Malformed) as refused:
        Portions(text).whole()

    assert [error["code"] for error in refused.value.errors] == [code]


def test_as_deep_as_is_allowed_may_be_in_portions_too() -> None:
    text = b"[" * 64 + b"]" * 64

    assert Portions(text).whole() == orjson.loads(text)


def test_a_mistake_is_told_with_its_line_and_place() -> None:
    with pytest.raises(orjson.JSONDecodeError) as found:
        Portions('{"\u00e9": [1,\n 2, x]}'.encode()).whole()

    assert (found.value.lineno, found.value.colno, found.value.pos) == (2, 5, 14)


def test_where_members_and_items_begin() -> None:
    text = b' {"a": [1, {"b": 2}], "c": "x,]"} '
    found = Portions(text)

    members = found.places(1)

    assert {name: text[at : at + 3] for name, at in members.items()} == {"a": b"[1,", "c": b'"x,'}
    assert [text[at : at + 2] for at in found.places(members["a"]).values()] == [b"1,", b'{"']
    assert found.places(members["c"]) == {}
