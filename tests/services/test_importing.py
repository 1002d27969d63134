"""`usher import-layout`: a file becomes the seats of a theater."""

import asyncio
from pathlib import Path

import pytest
from httpx import AsyncClient

from app.__main__ import main
from app.settings import Settings

TABLE = "section,row,number,category\nS,A,1,standard\nS,A,2,standard\n"


@pytest.fixture
def usher(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line finds the test's own servers."""
    for name in ("database_url", "redis_url", "jwt_secret"):
        monkeypatch.setenv(name.upper(), getattr(settings, name))


async def import_layout(file: Path, *options: str) -> int:
    return await asyncio.to_thread(main, ["import-layout", str(file), *options])


async def labels(client: AsyncClient, path: str) -> list[str]:
    return [seat["label"] for seat in (await client.get(path)).json()["seats"]]


@pytest.mark.usefixtures("usher")
async def test_a_new_theater_gets_the_seats_of_a_table(
    client: AsyncClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "studio.csv"
    file.write_text(TABLE)

    assert await import_layout(file, "--name", "Studio", "--timezone", "Asia/Tokyo") == 0

    theater = (await client.get("/theaters")).json()["items"][0]
    assert (theater["name"], theater["timezone"], theater["seat_count"]) == ("Studio", "Asia/Tokyo", 2)
    assert capsys.readouterr().out == f"Theater {theater['id']} now has 2 seats.\n"


@pytest.mark.usefixtures("usher")
async def test_a_theater_gets_other_seats_and_everybody_sees_them_at_once(client: AsyncClient, tmp_path: Path) -> None:
    file = tmp_path / "b.csv"
    file.write_text(TABLE)
    assert len(await labels(client, "/screenings/2/seats")) == 20

    assert await import_layout(file, "--theater", "2") == 0

    assert await labels(client, "/screenings/2/seats") == ["A1", "A2"]


@pytest.mark.usefixtures("usher")
@pytest.mark.parametrize(
    ("text", "options", "complaint"),
    [
        ("section,row,number\nS,A,1\nS,A,one\n", ["--theater", "2"], "line 3: number: This should be a whole number."),
        (
            "section,row,number\nS,A,1\nS,A,1\n",
            ["--theater", "2"],
            'line 3: number: Row "A" of section "S" has two seats',
        ),
        ("section,row,number,category\nS,A,1,gold\n", ["--theater", "2"], 'The category "gold" has no price'),
        (TABLE, ["--theater", "99"], "There is no such theater"),
        (TABLE, [], "--timezone: This is required for a new theater."),
        (TABLE, ["--name", "S", "--timezone", "Mars"], "--timezone: This should be a time zone of the tz database"),
    ],
)
async def test_what_cannot_be_done_is_told_and_changes_nothing(
    client: AsyncClient,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    text: str,
    options: list[str],
    complaint: str,
) -> None:
    file = tmp_path / "seats.csv"
    file.write_text(text)
    before = await labels(client, "/theaters/2/layout")

    assert await import_layout(file, *options) == 1

    assert complaint in capsys.readouterr().err
    assert await labels(client, "/theaters/2/layout") == before
    assert len((await client.get("/theaters")).json()["items"]) == 3


@pytest.mark.usefixtures("usher")
async def test_a_file_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await import_layout(tmp_path / "none.csv") == 1

    assert "cannot be read" in capsys.readouterr().err


@pytest.mark.usefixtures("usher")
async def test_what_is_exported_is_imported_unchanged(
    client: AsyncClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (await client.get("/theaters/1/layout")).json()
    for file_format in ("usher", "csv", "pretix"):
        file = tmp_path / file_format
        options = ["--theater", "1", "--format", file_format, "--output", str(file)]

        assert await asyncio.to_thread(main, ["export-layout", *options]) == 0
        assert await import_layout(file, "--theater", "1") == 0

        assert capsys.readouterr() == ("Theater 1 now has 80 seats.\n", "")
        assert (await client.get("/theaters/1/layout")).json() == before


@pytest.mark.usefixtures("usher")
async def test_a_warning_is_told_and_strictly_it_is_a_mistake(
    client: AsyncClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "seats.csv"
    file.write_text("section,row,number,category,color\nS,A,1,standard,red\n")
    said = "line 1: color: This column is unknown. It is skipped.\n"

    assert await import_layout(file, "--theater", "2", "--strict") == 1
    assert capsys.readouterr().err == f"{file}: {said}"
    assert await import_layout(file, "--theater", "2") == 0
    assert capsys.readouterr() == ("Theater 2 now has 1 seat.\n", f"{file}: warning: {said}")


@pytest.mark.usefixtures("usher")
@pytest.mark.parametrize(
    ("theater", "said"),
    [("1" + 20 * "0", "this number is too large"), ("one", "this should be a whole number"), ("-1", "whole number")],
)
async def test_a_theater_that_can_be_none_is_told(theater: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        await asyncio.to_thread(main, ["import-layout", "seats.csv", f"--theater={theater}"])

    assert said in capsys.readouterr().err


@pytest.mark.usefixtures("usher")
async def test_a_layout_of_no_theater_cannot_be_exported(capsys: pytest.CaptureFixture[str]) -> None:
    assert await asyncio.to_thread(main, ["export-layout", "--theater", "99"]) == 1

    assert "There is no such theater" in capsys.readouterr().err
