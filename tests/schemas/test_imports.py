"""Layouts from files: what is read from each kind, and how mistakes are told."""

import json
from typing import Any

import pytest

from app.domain.layouts import LayoutRefused, SeatDraft, lay_out
from app.schemas.imports import FileWrong, LayoutFile, read_layout_file

TABLE = """\
section,row,number,label,category,accessible,companion,restricted_view,x,y
Stalls,A,1,,premium,yes,,,0,0
Stalls,A,2,,premium,no,x,,1.5,0
Balcony,A,1,Throne,,,,true,,
Stalls,B,1,,,,,,,
"""


def read(text: str) -> LayoutFile:
    return read_layout_file(text.encode())


def seats(file: LayoutFile) -> dict[str, SeatDraft]:
    return {seat.label: seat for seat in lay_out(file.layout.plan())}


def wrong(text: str) -> list[str]:
    """What is said about a file that is none."""
    with pytest.raises(FileWrong) as found:
        read(text)
    return str(found.value).splitlines()


def flaws(text: str) -> list[str]:
    """What the rules say about a layout, in terms of its file."""
    file = read(text)
    with pytest.raises(LayoutRefused) as refused:
        lay_out(file.layout.plan())
    return str(file.wrong(refused.value.errors)).splitlines()


# --- our own JSON ----------------------------------------------------------------------------------------------------


def test_our_json_is_a_layout_or_a_theater() -> None:
    layout = {"sections": [{"name": "S", "rows": [{"row": "A", "seats": 2}]}]}

    alone = read(json.dumps(layout))
    within = read("\ufeff" + json.dumps({"name": "Studio", "timezone": "UTC", "layout": layout}))

    assert list(seats(alone)) == list(seats(within)) == ["A1", "A2"]
    assert (alone.name, alone.timezone, within.name, within.timezone) == (None, None, "Studio", "UTC")


OWN = """{
  "name": "Studio",
  "layout": {
    "sections": [
      {"name": "S",
       "rows": [
         {"row": "A", "seats": 3},
         {"row": "B", "seats": [
           {"number": 1},
           {"number": 1, "label": "Z"}
         ]}
       ]}
    ]
  }
}
"""


def test_a_flaw_in_our_json_is_named_by_its_line() -> None:
    assert flaws(OWN) == [
        'line 10: sections.0.rows.1.seats.1.number: Row "B" of section "S" has two seats with the number 1.',
    ]


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ('"seats": 3', '"seats": "3"', "line 7: layout.sections.0.rows.0.seats: Input should be a valid integer"),
        ('{"number": 1},', '{"nummer": 1},', "line 9: layout.sections.0.rows.1.seats.0.number: Field required"),
        ('"label": "Z"', '"label": 5', "line 10: layout.sections.0.rows.1.seats.1.label: Input should be a"),
        ('"name": "Studio"', '"name": "Studio", "id": 5', "line 2: id: Extra inputs are not permitted"),
        ('"row": "A", ', "", "line 7: layout.sections.0.rows.0.row: Field required"),
        ('"row": "A", ', '"row": "A" ', "line 7: This is not valid JSON"),
        ('"row": "A", ', '"row": "A", "row": "B", ', "row: This member is there more than once."),
        ('"seats": 3', '"seats": ' + "[" * 60 + "]" * 60, "The JSON is nested more than 64 levels deep."),
    ],
)  # fmt: skip
def test_a_mistake_in_our_json_is_named_by_its_line(before: str, after: str, complaint: str) -> None:
    assert any(complaint in line for line in wrong(OWN.replace(before, after)))


# --- tables ----------------------------------------------------------------------------------------------------------


def test_a_table_has_a_line_for_each_seat() -> None:
    found = seats(read(TABLE))

    assert list(found) == ["A1", "A2", "B1", "Throne"]
    first, second = found["A1"], found["A2"]
    assert (first.section, first.row, first.number, first.category) == ("Stalls", "A", 1, "premium")
    assert (first.accessible, first.companion, second.accessible, second.companion) == (True, False, False, True)
    assert (second.x, second.y, found["Throne"].restricted_view) == (1.5, 0.0, True)


def test_a_table_may_be_as_spreadsheets_write_it() -> None:
    text = '\ufeffSection;Row;Number;X;Y\r\n"Rang; links";A;1;0,5;0\r\n\r\n"Rang; links";A;2;1,5;0\r\n;;;;\r\n'

    found = seats(read(text))

    assert [(seat.section, seat.x) for seat in found.values()] == [("Rang; links", 0.5), ("Rang; links", 1.5)]


@pytest.mark.parametrize(
    ("text", "complaints"),
    [
        ("section,row\nS,A\n", ["line 1: number: This column is missing."]),
        ("section,row,number,color\n", ["line 1: color: This column is unknown."]),
        ("section,row,number,row\n", ["line 1: row: This column is there more than once."]),
        ("section,row,number\nS,A,one\nS,,2\n", ["line 2: number: This should be a whole number.",
                                                 "line 3: row: This value is missing."]),
        ("section,row,number\nS,A,-1\n", ["line 2: number: This should be a whole number."]),
        ("section,row,number,x\nS,A,1,1e5\n", ["line 2: x: This should be a number."]),
        ("section,row,number,accessible\nS,A,1,maybe\n", ["line 2: accessible: This should be yes or no."]),
        ("section,row,number\nS,A,1,extra\n", ["line 2: This line has 4 cells, but there are only 3 columns."]),
        ('section,row,number\nS,"A,1\n', ["line 2: This is not a valid CSV table: unexpected end of data."]),
        (f"section,row,number\nS,A,1\n{'S' * 65},A,1\n", ["line 3: section: "]),
        ("section,row,number,category\nS,A,1,\nS,A,2,two\tparts\n", ["line 3: category: "]),
        ("section,row,number\n", ["The table has no seats."]),
        ("\n \n", ["The file is empty."]),
    ],
)  # fmt: skip
def test_a_mistake_in_a_table_is_named_by_line_and_column(text: str, complaints: list[str]) -> None:
    said = wrong(text)

    for complaint in complaints:
        assert any(complaint in line for line in said), said


def test_a_flaw_in_a_table_is_named_by_line_and_column() -> None:
    text = "section,row,number,label\nS,A,1,Best\nT,A,1,\nS,A,2,Best\nS,A,1,Other\n"

    assert flaws(text) == ['line 5: number: Row "A" of section "S" has two seats with the number 1.']
    assert flaws(text.replace("S,A,1,Other", "S,A,3,Other")) == [
        'line 4: label: Two seats have the label "Best": S-A-1 and S-A-2.'
    ]


def test_bytes_that_are_no_text_are_named_by_their_line() -> None:
    for content in (b"section,row,number\nS,\xff,1\n", b"section,row,number\nS,\x00,1\n"):
        with pytest.raises(FileWrong, match=r"^line 2: "):
            read_layout_file(content)


# --- pretix ----------------------------------------------------------------------------------------------------------


def seat(number: str, x: float, category: str = "Stalls", **more: Any) -> dict[str, Any]:
    return {
        "seat_guid": f"{number}@{x}",
        "seat_number": number,
        "position": {"x": x, "y": 0},
        "category": category,
        **more,
    }


def plan(*zones: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "Opera",
        "size": {"width": 800, "height": 600},
        "categories": [{"name": "Stalls", "color": "#7f4a91"}, {"name": "Box", "color": "#333"}],
        "zones": list(zones),
    }


def zone(name: str, y: float, *rows: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "zone_id": name,
        "uuid": name,
        "position": {"x": 100, "y": y},
        "rows": list(rows),
        "areas": [],
    }


def row(number: str, *seats: dict[str, Any], y: float = 0) -> dict[str, Any]:
    return {"row_number": number, "row_number_position": "both", "position": {"x": 0, "y": y}, "seats": list(seats)}


def told(zones: dict[str, Any]) -> str:
    return json.dumps(zones, indent=2)


def line_with(text: str, what: str) -> int:
    """The number of the only line that says this."""
    [found] = [number for number, line in enumerate(text.splitlines(), 1) if what in line]
    return found


def test_zones_rows_and_seats_of_pretix_become_ours() -> None:
    main = zone(
        "Main", 40, row("1", seat("1", 0), seat("2", 20), seat("3", 40)), row("2", seat("1", 0), y=30), row("3")
    )
    text = told(plan(zone("Stage", 0), main))

    file = read(text)

    assert file.name == "Opera"
    found = seats(file)
    assert [(each.section, each.category, each.row, each.number) for each in found.values()] == [
        ("Main", "Stalls", "1", 1),
        ("Main", "Stalls", "1", 2),
        ("Main", "Stalls", "1", 3),
        ("Main", "Stalls", "2", 1),
    ]
    assert {label: (each.x, each.y) for label, each in found.items()} == {
        "11": (5.0, 2.0),
        "12": (6.0, 2.0),
        "13": (7.0, 2.0),
        "21": (5.0, 3.5),
    }


def test_seats_of_pretix_without_numbers_keep_what_is_written_on_them() -> None:
    left = zone("Left", 0, row("A", seat("1a", 0), seat("1b", 20)), row("", seat("Royal", 0, "Box")))
    right = zone("Right", 90, row("A", seat("1a", 0)))

    found = seats(read(told(plan(left, right))))

    assert [(seat.label, seat.row, seat.number) for seat in found.values()] == [
        ("Left-A-1a", "A", 1),
        ("A1b", "A", 2),
        ("Royal", "2", 1),
        ("Right-A-1a", "A", 1),
    ]


def test_a_row_of_pretix_without_a_place_stands_where_its_zone_does() -> None:
    """As in plans of earlier versions."""
    bare = {"row_number": "1", "seats": [seat("1", 0, ""), seat("2", 25, "")]}
    old = {"name": "Old", "categories": [], "zones": [{"position": {"x": 0, "y": 0}, "rows": [bare]}]}

    found = seats(read(told(old)))

    assert [(each.section, each.category, each.x) for each in found.values()] == [
        ("Zone 1", "standard", 0.0),
        ("Zone 1", "standard", 1.0),
    ]


def test_a_mistake_in_a_plan_of_pretix_is_named_by_its_line() -> None:
    text = told(plan(zone("Main", 0, row("1", seat("1", 0), seat("2", 20, "Circle")))))
    without_number = text.replace('"seat_number": "2"', '"seat_nr": "2"')
    numbered = text.replace('"seat_number": "2"', '"seat_number": 2')
    line = line_with(numbered, 'seat_number": 2')

    assert wrong(text) == [
        f"line {line_with(text, 'Circle')}: zones.0.rows.0.seats.1.category: The plan does not define this category."
    ]
    assert wrong(without_number)[0].endswith("zones.0.rows.0.seats.1.seat_number: Field required")
    assert wrong(numbered)[0].startswith(f"line {line}: zones.0.rows.0.seats.1.seat_number")


def test_a_flaw_in_a_plan_of_pretix_is_named_by_its_line() -> None:
    text = told(plan(zone("Empty", 0), zone("Main", 0, row("1", seat("1", 0), seat("01", 20)))))
    line, where = line_with(text, 'seat_number": "01"'), "zones.1.rows.0.seats.1.seat_number"

    assert flaws(text) == [f'line {line}: {where}: Row "1" of section "Main" has two seats with the number 1.']


def test_a_zone_of_pretix_with_a_long_name_is_named() -> None:
    text = told(plan(zone("Main" * 20, 0, row("1", seat("1", 0)))))

    line = line_with(text, '"name": "MainMain')

    assert wrong(text)[0].startswith(f"line {line}: zones.0.name: ")


def test_a_plan_of_pretix_without_seats_is_none() -> None:
    assert wrong(told(plan(zone("Main", 0)))) == ["line 17: zones: The plan has no row with a seat."]
