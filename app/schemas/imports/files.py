"""A layout from a file, and the mistakes in such a file."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.domain.refusals import Flaw
from app.schemas.layouts import LayoutIn

Loc = tuple[str | int, ...]

MOST_COMPLAINTS: Final = 50


@dataclass(frozen=True, slots=True)
class Complaint:
    """A mistake in a file. `line` counts from 1; None: it is about the whole file."""

    line: int | None
    field: str
    message: str

    def __str__(self) -> str:
        where = [f"line {self.line}"] if self.line else []
        return ": ".join([*where, *([self.field] if self.field else []), self.message])


class FileWrong(Exception):
    """The file has no valid layout. The text has one line for each mistake."""

    def __init__(self, complaints: Iterable[Complaint]) -> None:
        self.complaints = tuple(complaints)[:MOST_COMPLAINTS]
        super().__init__("\n".join(str(each) for each in self.complaints))


@dataclass(frozen=True, slots=True)
class LayoutFile:
    """A layout from a file. `place_of` says in which line, and in which field, a path into the layout stands."""

    layout: LayoutIn
    place_of: Callable[[Loc], tuple[int | None, str]]
    name: str | None = None
    timezone: str | None = None

    def wrong(self, flaws: Iterable[Flaw]) -> FileWrong:
        """The flaws that the rules found in the layout, with their lines in the file."""
        return FileWrong(
            Complaint(*self.place_of(flaw.loc[1:] if flaw.loc[:1] == ("layout",) else flaw.loc), flaw.message)
            for flaw in flaws
        )


def complaints(
    errors: Iterable[Mapping[str, Any]], place_of: Callable[[Loc], tuple[int | None, str]]
) -> Iterable[Complaint]:
    """pydantic's errors as complaints."""
    return [Complaint(*place_of(error["loc"]), error["msg"].removeprefix("Value error, ")) for error in errors]


def text_of(content: bytes) -> str:
    """The text of a file, without a byte order mark. Raises FileWrong: it is not UTF-8, has NULs, or is empty."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FileWrong([Complaint(line, "", "This is not UTF-8. Save the file as UTF-8.")]) from None
    if "\x00" in text:
        raise FileWrong(
            [Complaint(text.count("\n", 0, text.index("\x00")) + 1, "", "There is a NUL character. Remove it.")]
        )
    if not text.strip():
        raise FileWrong([Complaint(None, "", "The file is empty.")])
    return text
