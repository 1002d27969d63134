"""Whatever keeps a server from being used is said together with what to do about it."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from app.server.doctor import examine
from app.settings import Settings
from tests.conftest import JWT_SECRET
from tests.places import Place

Say = Callable[..., list[str]]


@pytest.fixture
def said(templates: Place, capsys: pytest.CaptureFixture[str]) -> Say:
    """What `usher doctor` says of the problems that it has with these URLs, instead of those of the tests."""

    def say(*, database_url: str | None = None, redis_url: str | None = None) -> list[str]:
        settings = Settings(
            database_url=database_url or templates.url_of("usher"),
            redis_url=redis_url or templates.redis_url,
            jwt_secret=JWT_SECRET,
        )
        is_well = examine(settings, with_books=True)
        lines = capsys.readouterr().out.splitlines()
        problems = [line.removeprefix("problem  ") for line in lines if line.startswith("problem")]
        assert is_well == (not problems)
        return problems

    return say


@pytest.fixture
def deaf() -> Iterator[int]:
    """A port that somebody has and where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_of_what_is_well_nothing_is_said(said: Say) -> None:
    assert said() == []


def test_nobody_listens(said: Say, deaf: int) -> None:
    problems = said(database_url=f"postgresql://u@127.0.0.1:{deaf}/usher", redis_url=f"redis://127.0.0.1:{deaf}/0")

    assert len(problems) == 3
    assert problems[0].startswith("PostgreSQL: ")
    assert problems[1].startswith("Valkey: ")
    for problem in problems[:2]:
        assert problem.endswith("Nobody listens there. Is the server running, and are host and port of the URL right?")
    assert problems[2] == "Books: not looked at. Mend what is said of PostgreSQL first"


def test_a_host_that_nobody_knows(said: Say) -> None:
    database, cache, _ = said(
        database_url="postgresql://u@nowhere.invalid/usher", redis_url="redis://nowhere.invalid/0"
    )

    for problem in (database, cache):
        assert "The host of the URL is not known here." in problem


def test_a_socket_that_is_not_there(said: Say, tmp_path: Path) -> None:
    database, _ = said(database_url=f"postgresql://u@/usher?host={tmp_path}")
    [cache] = said(redis_url=f"unix://{tmp_path}/valkey.sock")

    for problem in (database, cache):
        assert "No socket is there. Is the server running" in problem


def test_a_database_that_does_not_exist_is_to_be_made(said: Say, templates: Place) -> None:
    assert said(database_url=templates.url_of("nothing"))[0] == (
        'PostgreSQL: database "nothing" does not exist. '
        "Make it: createdb --template=template0 --encoding=UTF8, or correct the name in the URL"
    )


def test_somebody_whom_the_server_does_not_know(said: Say, templates: Place) -> None:
    url = make_url(templates.url_of("usher")).set(username="stranger").render_as_string(hide_password=False)

    assert "look at pg_hba.conf, and at sslmode in the URL" in said(database_url=url)[0]


def test_a_password_that_is_wrong_and_a_number_that_is_too_large(said: Say, templates: Place) -> None:
    path = templates.redis_url.removeprefix("unix://").partition("?")[0]

    assert said(redis_url=f"unix://stranger:geheim@{path}?db=0")[0].endswith(
        "Correct the user and the password in the URL"
    )
    assert "larger than the server's `databases` allows" in said(redis_url=f"unix://{path}?db=99")[0]
