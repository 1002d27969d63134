"""The columns of a table of seats: under which names they are known, and how their cells are read."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from app.schemas.imports.files import Complaint, FileWrong
from app.schemas.imports.numbers import leading_number

NEEDED: Final = ("section", "row", "number")

_TRUE: Final = {"1", "yes", "y", "true", "x", "ja", "j", "wahr", "oui", "vrai", "✓"}
_FALSE: Final = {"", "0", "no", "n", "false", "nein", "falsch", "non", "faux", "-"}
_WHOLE: Final = re.compile(r"\d{1,9}", re.ASCII)
_DECIMAL: Final = re.compile(r"-?\d{1,9}([.,]\d{1,9})?", re.ASCII)
# What spreadsheets would take for a formula is written behind an apostrophe (`exports.tables`).
_NO_FORMULA: Final = re.compile(r"'(?=[=+\-@\t\r'])")

# As they are written in English, German and French, in small letters, with spaces for signs.
_SYNONYMS: Final[Mapping[str, str]] = {
    "section": "block|area|zone|sector|stand|bereich|sektor|bloc|secteur|zone name",
    "row": "reihe|row name|row number|row label|rangée",
    "number": "nr|no|n°|num|numéro|nummer|seat|seat number|seat no|seat nr|platz|platznummer|platz nr|sitz|sitzplatz"
    "|sitznummer|place|siège",
    "label": "seat label|seat name|bezeichnung|beschriftung|libellé",
    "category": "price category|price level|price group|tier|kategorie|preiskategorie|preisgruppe|catégorie|tarif",
    "accessible": "wheelchair|wheelchair place|rollstuhl|rollstuhlplatz|pmr|fauteuil roulant",
    "companion": "companion place|companion seat|begleitung|begleitperson|begleitplatz|accompagnateur",
    "restricted_view": "restricted view|obstructed view|sichtbehinderung|sichtbehindert|eingeschränkte sicht"
    "|visibilité réduite",
    "x": "x position|position x|pos x|x coordinate",
    "y": "y position|position y|pos y|y coordinate",
    "aisle_after": "aisle after|gang danach|allée après",
}


def _whole(cell: str) -> int | str:
    """A number; or all of the cell, if a number with a suffix such as `12bis` or `1A` is in it."""
    if _WHOLE.fullmatch(cell):
        return int(cell)
    if leading_number(cell) is not None:
        return cell
    raise ValueError("This should be a whole number.")


def _decimal(cell: str) -> float:
    if not _DECIMAL.fullmatch(cell):
        raise ValueError("This should be a number.")
    return float(cell.replace(",", "."))


def _yes_or_no(cell: str) -> bool:
    if cell.casefold() not in _TRUE | _FALSE:
        raise ValueError("This should be yes or no.")
    return cell.casefold() in _TRUE


def _text(cell: str) -> str:
    return _NO_FORMULA.sub("", cell, count=1) if cell.startswith("'") else cell


READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "section": _text,
    "row": _text,
    "number": _whole,
    "label": _text,
    "category": _text,
    "accessible": _yes_or_no,
    "companion": _yes_or_no,
    "restricted_view": _yes_or_no,
    "x": _decimal,
    "y": _decimal,
    "aisle_after": _yes_or_no,
}


def _as_known(written: str) -> str:
    return " ".join(re.sub(r"[\s_.#:/-]+", " ", unicodedata.normalize("NFC", written).casefold()).split())


_MEANT: Final = {_as_known(name): name for name in READERS} | {
    _as_known(each): name for name, synonyms in _SYNONYMS.items() for each in synonyms.split("|")
}


@dataclass(frozen=True, slots=True)
class Columns:
    """What the first line of a table says: for each column, the member of a seat; None: the column is skipped."""

    line: int
    meanings: tuple[str | None, ...]
    warnings: tuple[Complaint, ...]


def columns_of(line: int, written: Sequence[str]) -> Columns:
    """What the columns mean. Raises FileWrong if a needed one is missing, or one is there twice.

    The caller bounds how many there are: each is compared with all.
    Columns without a name are skipped, and so are unknown ones: these with a warning.
    """
    named = [name for name in written if name]
    twice = sorted({name for name in named if named.count(name) > 1})
    wrong = [Complaint(line, name, "This column is there more than once.") for name in twice]
    exact = {name.lower() for name in named} & READERS.keys()
    taken: set[str] = set()
    warnings: list[Complaint] = []
    meanings: list[str | None] = []
    for name in written:
        meant = name.lower() if name.lower() in READERS else _MEANT.get(_as_known(name))
        if meant in taken or (meant in exact and name.lower() != meant):
            warnings.append(Complaint(line, name, f"This column is skipped: another one is the {meant} already."))
            meant = None
        elif name and meant is None:
            warnings.append(Complaint(line, name, "This column is unknown. It is skipped."))
        meanings.append(meant)
        taken |= {meant} if meant else set()
    wrong += [Complaint(line, name, "This column is missing.") for name in NEEDED if name not in taken]
    if wrong:
        raise FileWrong([*wrong, Complaint(None, "", f"The columns are {', '.join(READERS)}.")])
    return Columns(line, tuple(meanings), tuple(warnings))


def seat_of(line: int, cells: Mapping[str, str], wrong: list[Complaint]) -> dict[str, Any] | None:
    """A seat from its cells; None if it has mistakes, which go into `wrong`. An empty cell counts as left out."""
    seat: dict[str, Any] = {}
    before = len(wrong)
    wrong.extend(Complaint(line, name, "This value is missing.") for name in NEEDED if not cells.get(name))
    for name, cell in cells.items():
        try:
            if cell:
                seat[name] = READERS[name](cell)
        except ValueError as error:
            wrong.append(Complaint(line, name, str(error)))
    return seat if len(wrong) == before else None


def number_them(row: str, seats: Sequence[dict[str, Any]]) -> None:
    """Give a number to the seats of a row that have one with a suffix; it becomes their label, unless they have one.

    That is the number in it, if no other seat of the row has it, else the next one after all others.
    """
    whole = [seat["number"] for seat in seats if isinstance(seat["number"], int)]
    suffixed = [seat for seat in seats if not isinstance(seat["number"], int)]
    found = [leading_number(seat["number"]) or 0 for seat in suffixed]
    taken = set(whole)
    after = max(chain(whole, found), default=0)
    for seat, number in zip(suffixed, found, strict=True):
        if not seat.get("label"):
            seat["label"] = f"{row}{seat['number']}"
        if number in taken:
            after += 1
            number = after
        seat["number"] = number
        taken.add(number)


def filled(cells: Iterable[str]) -> bool:
    """Does the line say anything?"""
    return any(cells)
