"""Layouts from files: what is read from each kind, and how mistakes are told."""

import json
import sys
import zipfile
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from itertools import combinations
from math import hypot
from types import FrameType
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.domain.house.layouts import LayoutRefused, SeatDraft, lay_out
from app.domain.seats import Layout, Point, Seat
from app.schemas.exports import own_file, pretix_plan, table
from app.schemas.house.layouts import LayoutIn
from app.schemas.imports import FileWrong, LayoutFile, read_layout_file, tables
from app.schemas.imports.spreadsheets import read_workbook

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
        ("section,row,number,row\n", ["line 1: row: This column is there more than once."]),
        ("section,row,number\nS,A,one\nS,,2\n", ["line 2: number: This should be a whole number.",
                                                 "line 3: row: This value is missing."]),
        ("section,row,number\nS,A,-1\n", ["line 2: number: This should be a whole number."]),
        ("section,row,number,x\nS,A,1,1e5\n", ["line 2: x: This should be a number."]),
        ("section,row,number,accessible\nS,A,1,maybe\n", ["line 2: accessible: This should be yes or no."]),
        ("section,row,number\nS,A,1,extra\n", ["line 2: This line has 4 cells, but there are only 3 columns."]),
        ('section,row,number\nS,"A,1\n', ["line 2: A quotation mark opens here and is never closed."]),
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
    for content in (b"section,row,number\nS,\x81,1\n", b"section,row,number\nS,\x00,1\n"):
        with pytest.raises(FileWrong, match=r"^line 2: "):
            read_layout_file(content)


@pytest.mark.parametrize(
    "text",
    [
        "Block;Reihe;Platz;Preiskategorie;Rollstuhl\r\nParkett;1;1;gut;ja\r\nParkett;1;2;gut;nein\r\n",
        "sep=;\r\nAREA;Row Name;Seat No.;price_category;wheelchair\r\nParkett;1;1;gut;yes\r\nParkett;1;2;gut;\r\n",
        '"sep=;"\nArea;Row;Seat;Category;Wheelchair\nParkett;1;1;gut;yes\nParkett;1;2;gut;\n',
        "sep=\t\nArea\tRow\tSeat\tCategory\tWheelchair\nParkett\t1\t1\tgut\tyes\nParkett\t1\t2\tgut\t\n",
        "seat\tROW\tsection\tCategory\tAccessible\n1\t1\tParkett\tgut\tx\n2\t1\tParkett\tgut\t\n",
        "section,row,number,category,accessible,,\nParkett,1,1,gut,1,,\n,,,,,,\nParkett,1,2,gut,0,,,,\n",
        '"section","row","number","category","accessible"\n"Parkett","1","1","gut","true"\n"Parkett","1","2","gut",""\n',
    ],
)
def test_a_table_is_read_as_spreadsheets_of_many_countries_write_it(text: str) -> None:
    for content in (text.encode(), text.encode("utf-8-sig"), text.encode("utf-16"), text.encode("utf-16-le")):
        file = read_layout_file(content)

        assert file.warnings == ()
        found = seats(file)
        assert [(each.section, each.row, each.category, each.accessible) for each in found.values()] == [
            ("Parkett", "1", "gut", True),
            ("Parkett", "1", "gut", False),
        ]


def test_a_table_of_windows_is_read_and_that_is_told() -> None:
    content = "Bereich;Reihe;Platz\r\nRänge;Ö;1\r\n".encode("windows-1252")

    file = read_layout_file(content)
    declared = read_layout_file(content, encoding="ISO-8859-1")

    assert list(seats(file)) == list(seats(declared)) == ["Ö1"]
    assert [str(each)[:50] for each in file.warnings] == ["line 2: The file is not UTF-8. It was read as Wind"]
    assert declared.warnings == ()
    with pytest.raises(FileWrong, match="was read as Windows-1252"):
        read_layout_file(content, strict=True)
    with pytest.raises(FileWrong, match="The encoding ebcdic is unknown"):
        read_layout_file(content, encoding="ebcdic")


def test_a_column_that_is_unknown_is_skipped_and_that_is_told() -> None:
    text = "section,area,row,number,color\nS,T,A,1,red\n"

    file = read(text)

    assert list(seats(file)) == ["A1"]
    assert [str(each) for each in file.warnings] == [
        "line 1: area: This column is skipped: another one is the section already.",
        "line 1: color: This column is unknown. It is skipped.",
    ]
    with pytest.raises(FileWrong, match="color: This column is unknown"):
        read_layout_file(text.encode(), strict=True)


def test_a_quotation_mark_that_is_never_closed_is_told_where_it_opens() -> None:
    fine = 'section,row,number,label\nS,A,1,"two\nlines ""here"""\n'.replace("two\nlines", "two lines")

    assert wrong(fine + 'S,A,2,"open\nS,A,3,\nS,A,4,"closed"\n')[0].startswith("line 3: A quotation mark opens here")
    assert wrong('section,row,number\n"S\n",A,one\n')[0] == "line 2: number: This should be a whole number."


def test_a_number_with_a_suffix_becomes_a_label() -> None:
    found = seats(read("section,row,number,label\nS,A,12,\nS,A,12bis,\nS,A,13,\nS,B,1A,\nS,B,2A,Throne\n"))

    assert [(each.label, each.number) for each in found.values()] == [
        ("A12", 12),
        ("A12bis", 14),
        ("A13", 13),
        ("B1A", 1),
        ("Throne", 2),
    ]


def test_two_seats_at_one_place_are_told() -> None:
    file = read("section,row,number,x,y\nS,A,1,0,0\nS,A,2,1,0\nS,A,3,1,0\n")

    assert [str(each) for each in file.warnings] == ["line 4: x: Another seat is at the same place, 1, 0."]


def test_a_name_that_is_too_long_is_counted_in_characters() -> None:
    said = wrong(f"section,row,number\n{'S' * 65},A,1\n")

    assert said == ["line 2: section: String should have at most 64 characters"]


@pytest.mark.parametrize("wrong_line", ["S,A,one", "S,A,1", ",,1"])
def test_of_many_mistakes_the_first_are_told_and_how_many_more_there_are(wrong_line: str) -> None:
    text = "section,row,number\n" + f"{wrong_line}\n" * 20_000
    first_is_fine = wrong_line == "S,A,1"

    said = flaws(text) if first_is_fine else wrong(text)

    assert len(said) == 51
    assert said[0].startswith("line 3: " if first_is_fine else "line 2: ")
    lines = 19_999 if first_is_fine else 40_000 if wrong_line == ",,1" else 20_000
    assert said[-1] == f"and {lines - 50} more mistakes."


def test_of_many_mistakes_in_a_list_of_our_json_the_first_is_told() -> None:
    seats_ = ",\n".join('{"number": -1}' for _ in range(20_000))
    text = '{"sections": [{"name": "S", "rows": [{"row": "A", "seats": [\n' + seats_ + "]}]}]}"

    said = wrong(text)

    assert [each.partition(" should")[0] for each in said] == ["line 2: sections.0.rows.0.seats.0.number: Input"]


def test_a_workbook_is_read_as_a_table() -> None:
    openpyxl = pytest.importorskip("openpyxl")
    workbook = openpyxl.Workbook()
    for line in (["Block", "Reihe", "Platz", "x"], ["Parkett", 1, 1, 0.5], [None] * 4, ["Parkett", 1, "2a", 1.5]):
        workbook.active.append(line)
    content = BytesIO()
    workbook.save(content)

    found = seats(read_layout_file(content.getvalue()))

    assert [(each.label, each.number, each.x) for each in found.values()] == [("11", 1, 0.5), ("12a", 2, 1.5)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04 and nothing more", "This is not a workbook that can be read."),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Workbooks of this old kind"),
    ],
)
def test_a_workbook_that_cannot_be_read_says_how_to_save_it(content: bytes, said: str) -> None:
    with pytest.raises(FileWrong, match=rf"^{said}.*CSV UTF-8"):
        read_layout_file(content)


def test_without_openpyxl_a_workbook_says_how_to_save_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)

    with pytest.raises(FileWrong, match=r"^Workbooks need openpyxl .* Or: in the spreadsheet choose Save As, CSV"):
        read_layout_file(b"PK\x03\x04")


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


def test_a_row_of_pretix_that_is_split_at_an_aisle_is_one_row() -> None:
    left, right = row("1", seat("1a", 0), seat("2a", 20)), row("1", seat("3a", 60), seat("4a", 80))

    found = seats(read(told(plan(zone("Main", 0, left, right)))))

    assert [(each.label, each.row, each.number) for each in found.values()] == [
        ("11a", "1", 1),
        ("12a", "1", 2),
        ("13a", "1", 3),
        ("14a", "1", 4),
    ]


def test_seats_of_pretix_at_tables_do_not_overlap_those_on_benches() -> None:
    bench = [row(str(at), *(seat(str(n), n * 30) for n in range(1, 9)), y=at * 30) for at in range(1, 5)]
    table = row("T", seat("1", 0), seat("2", 18), y=300)

    found = list(seats(read(told(plan(zone("Main", 0, *bench, table))))).values())

    distances = [hypot(a.x - b.x, a.y - b.y) for a, b in combinations(found, 2)]
    assert min(distances) == pytest.approx(1.0)


def test_one_seat_of_pretix_that_is_misplaced_does_not_blow_up_the_house() -> None:
    rows = [row(str(at), *(seat(str(n), n * 25) for n in range(20)), y=at * 30) for at in range(20)]
    rows[0]["seats"][1]["position"]["x"] = 1

    found = seats(read(told(plan(zone("Main", 0, *rows)))))

    assert found["Main-1-3"].x - found["Main-1-2"].x == pytest.approx(1.0)


def test_a_plan_as_the_api_of_pretix_answers_is_read() -> None:
    inner = plan(zone("Main", 0, row("1", seat("1", 0), seat("2", 20, "Circle"))))
    text = told({"id": 7, "name": "Opera", "layout": inner})
    fine = text.replace("Circle", "Box")

    assert list(seats(read(fine))) == ["11", "12"]
    assert wrong(text) == [
        f"line {line_with(text, 'Circle')}: zones.0.rows.0.seats.1.category: The plan does not define this category."
    ]


def test_areas_of_pretix_and_a_guid_that_is_there_twice_are_told() -> None:
    main = zone("Main", 0, row("1", seat("1", 0), seat("2", 20)))
    main["rows"][0]["seats"][1]["seat_guid"] = main["rows"][0]["seats"][0]["seat_guid"]
    main["areas"] = [{"shape": "rectangle", "text": {"text": "Standing", "color": "#000"}}, {"text": "Bar"}, {}]
    text = told(plan(main))

    assert [str(each).partition(": ")[2] for each in read(text).warnings] == [
        'zones.0.areas.0: The area "Standing" has no seats. It is not imported.',
        'zones.0.areas.1: The area "Bar" has no seats. It is not imported.',
        "zones.0.areas.2: The area has no seats. It is not imported.",
        "zones.0.rows.0.seats.1.seat_guid: Another seat has the same seat_guid.",
    ]


# --- and out again ---------------------------------------------------------------------------------------------------

SEATS = st.lists(
    st.builds(
        dict,
        section=st.sampled_from(["Stalls", "Rang; links", "=SUM(A1)", 'Box "L"']),
        row=st.sampled_from(["A", "12", "-1", "Ö"]),
        category=st.sampled_from(["standard", "+premium"]),
        accessible=st.booleans(),
        companion=st.booleans(),
        restricted_view=st.booleans(),
        aisle_after=st.booleans(),
        x=st.integers(-4000, 4000).map(lambda n: n / 40),
        y=st.integers(0, 4000).map(lambda n: n / 40),
        label=st.one_of(st.none(), st.text(alphabet="'=AÄ1-", min_size=1, max_size=4)),
    ),
    min_size=1,
    max_size=12,
)


@given(SEATS, st.booleans())
def test_a_layout_that_was_exported_comes_back_unchanged(drawn: list[dict[str, Any]], has_focal_point: bool) -> None:
    house = tuple(
        Seat(id=at, number=at, **{**values, "label": f"{values['label'] or 'seat'}{at}"})
        for at, values in enumerate(drawn, 1)
    )
    assume(len({seat.label for seat in house}) == len(house))  # "A1" of seat 1 and "A" of seat 11 are the same
    layout = Layout(1, 1, house, focal_point=Point(1.5, -2.0) if has_focal_point else None)

    for content in (own_file(layout), table(layout), pretix_plan(layout, "Opera")):
        file = read_layout_file(content)
        back = {seat.label: seat for seat in lay_out(file.layout.plan())}
        for seat_ in house:
            again = back[seat_.label]
            for name in Seat.__dataclass_fields__.keys() - {"id"}:
                assert getattr(again, name) == pytest.approx(getattr(seat_, name)), name
        assert len(back) == len(house)
        if file.says_where_people_look:
            assert file.layout.looks_at() == layout.focal_point
    assert [seat_.label for seat_ in lay_out(read_layout_file(own_file(layout)).layout.plan())] == [
        seat_.label for seat_ in house
    ]


def test_no_cell_of_a_table_is_a_formula() -> None:
    layout = Layout(1, 1, (Seat(1, "=A1", "@S", "+R", 1, "-c", False, False, False, -1.5, 0.0),))

    [_, line, *_] = table(layout).decode("utf-8-sig").splitlines()

    assert line == "'@S,'+R,1,'=A1,'-c,,,,-1.5,0,"


# --- what is bounded before it is read -------------------------------------------------------------------------------


def test_a_table_has_a_hundred_columns_at_most() -> None:
    [said] = wrong("section,row,number" + ",x" * 98 + "\n")

    assert said == "line 1: This line has more than 100 columns."


@pytest.mark.parametrize("line", ["S,A," + "1" * 70_000, '"' + "S\n" * 40_000], ids=["one line", "a quotation"])
def test_a_line_of_a_table_is_not_endless(line: str) -> None:
    assert "has more than 65536 characters" in wrong(f"section,row,number\n{line}")[0]


def test_a_table_is_read_line_by_line() -> None:
    """The reader of tables keeps the interpreter until it has a whole line; between them a line of Python is run."""
    calls = calls_while(lambda: read(TABLE + "\n" * 50))

    assert calls["_Feed.__next__"] > 50


def test_a_table_has_twice_as_many_lines_as_seats_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MOST_LINES", 4)

    assert wrong(TABLE) == ["line 5: The table has more than 4 lines."]


SHEET = {
    "cells": b"<row>" + b"<c/>" * 120_000 + b"</row>",
    "text": b"<row><c><is><t>" + b"a" * 200_000 + b"</t></is></c></row>",
    "rows": b"<row/>" * 6_100_000,
}


@pytest.mark.parametrize("what", SHEET)
def test_a_workbook_that_unpacks_to_far_more_is_not_read(what: str) -> None:
    pytest.importorskip("openpyxl")
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as workbook:
        workbook.writestr("xl/worksheets/sheet1.xml", SHEET[what])
    assert len(packed.getvalue()) < 100_000

    with pytest.raises(FileWrong, match="too large when it is unpacked"):
        read_layout_file(packed.getvalue())


@pytest.mark.parametrize("bound", [{"megabytes": 1}, {"seconds": 0}])
def test_a_workbook_that_takes_more_than_its_process_may_have_is_not_read(bound: dict[str, int]) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    content = BytesIO()
    openpyxl.Workbook().save(content)

    with pytest.raises(FileWrong, match="CSV UTF-8"):
        read_workbook(content.getvalue(), **bound)


def test_a_workbook_whose_lines_grow_when_it_is_unpacked_is_not_read() -> None:
    """Packed, such a line is a few kilobytes."""
    openpyxl = pytest.importorskip("openpyxl")
    workbook, content = openpyxl.Workbook(), BytesIO()
    for line in (["section", "row", "number"], ["a" * 30_000] * 99):
        workbook.active.append(line)
    workbook.save(content)

    with pytest.raises(FileWrong, match=r"^line 2: This line has more than 65536 characters\.$"):
        read_layout_file(content.getvalue())


def test_a_workbook_of_thousands_of_files_is_not_read() -> None:
    pytest.importorskip("openpyxl")
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as workbook:
        for number in range(1_001):
            workbook.writestr(f"{number}", b"")

    with pytest.raises(FileWrong, match="too large when it is unpacked"):
        read_layout_file(packed.getvalue())


def test_between_two_seats_a_line_of_python_is_run() -> None:
    """Whoever waits for the interpreter gets it there: pydantic's own code keeps it."""
    layout = {"sections": [{"name": "S", "rows": [{"row": "A", "seats": [{"number": 1}] * 500}]}]}

    calls = calls_while(lambda: LayoutIn.model_validate(layout))

    assert calls["_let_others"] == 500


def calls_while(work: Callable[[], object]) -> Counter[str]:
    """How often each function of Python was called meanwhile."""
    calls = Counter[str]()

    def count(frame: FrameType, event: str, _: object) -> None:
        calls[frame.f_code.co_qualname] += event == "call"

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls
