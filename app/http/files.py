"""Files in a body: raw under their own media type, or the one file of a form (multipart/form-data)."""

from dataclasses import dataclass
from email.message import Message
from io import BytesIO
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import File, parse_form

from app.http.request import ApiRequest
from app.schemas.format.faults import Malformed, Mistake, UnsupportedMediaType, mistake
from app.schemas.imports import FileWrong

MULTIPART: Final = "multipart/form-data"


@dataclass(frozen=True, slots=True)
class SentFile:
    """The bytes of a file, and the encoding of its text if the sender says one."""

    content: bytes
    encoding: str | None


def sent_file(request: ApiRequest, media_types: frozenset[str]) -> SentFile:
    """The file in the body of this request.

    Raises:
        UnsupportedMediaType: its media type is none of these, or it is compressed.
        Malformed: there is none, or the form has no file, or several.
    """
    headers = request.headers_once
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise UnsupportedMediaType("Compressed bodies are not supported. Send the file without Content-Encoding.")
    kind = Message()
    kind["content-type"] = headers.get(b"content-type", b"").decode("latin-1") or "application/octet-stream"
    media_type = kind.get_content_type()
    if media_type == MULTIPART:
        return SentFile(_file_of_form(request), None)
    if media_type not in media_types:
        raise UnsupportedMediaType(f"Send the file as {MULTIPART}, or as one of: {', '.join(sorted(media_types))}.")
    if not request.raw_body:
        raise mistake(["body"], "missing", "There is no file in the body.")
    return SentFile(request.raw_body, kind.get_content_charset())


def mistakes_of(wrong: FileWrong) -> Malformed:
    """What is wrong with a file, each mistake with its line and field in the file."""
    found = [
        Mistake(
            loc=["body", *([each.line] if each.line else []), *([each.field] if each.field else [])],
            code="file",
            message=str(each),
        )
        for each in wrong.complaints
    ]
    if wrong.more:
        found.append(Mistake(loc=["body"], code="file", message=f"And {wrong.more} more mistakes."))
    return Malformed(found)


def _file_of_form(request: ApiRequest) -> bytes:
    found: list[bytes] = []

    def take(file: File) -> None:
        file.file_object.seek(0)
        found.append(file.file_object.read())
        file.close()

    sent = {
        "Content-Type": request.headers_once[b"content-type"],
        "Content-Length": str(len(request.raw_body)).encode(),
    }
    try:
        parse_form(sent, BytesIO(request.raw_body), None, take)
    except (FormParserError, ValueError):
        raise mistake(["body"], "form_invalid", "This is not a form with a file.") from None
    if len(found) != 1:
        raise mistake(["body"], "one_file", f"Send one file in the form. This one has {len(found)}.")
    return found[0]
