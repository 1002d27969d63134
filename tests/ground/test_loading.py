"""A command loads what it needs, and not the whole of Usher: that takes two seconds of a processor."""

import gc
import subprocess
import sys
from pathlib import Path

import pytest

import app.main
from app.loading import loading
from app.server.gc_freezing import Sparing
from app.server.serving import worker
from tests.ground.conftest import without_settings

_AND_THEN_SAY_WHAT_IS_LOADED = """
import sys
from app.__main__ import main

try:
    main(sys.argv[1:])
except SystemExit:
    pass
print("LOADED", *sys.modules)
"""

POSTGRESQL = {"alembic", "asyncpg", "sqlalchemy"}
SERVING = {"app.main", "fastapi", "redis", "uvicorn"}


def loaded_by(program: str, home: Path, *words: str, **settings: str) -> set[str]:
    """The modules that are loaded when this program has ended."""
    ended = subprocess.run(
        [sys.executable, "-c", program, *words],
        check=True,
        capture_output=True,
        text=True,
        env=without_settings() | {"USHER_HOME": str(home)} | settings,
    )
    return set(ended.stdout.partition("LOADED")[2].split())


@pytest.mark.parametrize("words", [["--version"], ["reset"], ["settings"], ["sweep", "--now"]])
def test_a_command_that_asks_nobody_loads_nothing_to_ask_with(home: Path, words: list[str]) -> None:
    loaded = loaded_by(_AND_THEN_SAY_WHAT_IS_LOADED, home, *words)

    assert "app.server.commands" in loaded
    assert not loaded & (POSTGRESQL | SERVING)


def test_a_setting_that_is_not_allowed_is_said_before_anything_else_is_loaded(home: Path) -> None:
    loaded = loaded_by(_AND_THEN_SAY_WHAT_IS_LOADED, home, "serve", PORT="none")

    assert "app.settings" in loaded
    assert not loaded & (POSTGRESQL | SERVING)


def test_the_parent_of_workers_does_not_load_what_they_serve(home: Path) -> None:
    loaded = loaded_by("import sys, app.server.serving\nprint('LOADED', *sys.modules)", home)

    assert "uvicorn" in loaded
    assert not loaded & {"app.main", "app.resources", "alembic", "fastapi", "redis"}


def test_the_garbage_collector_looks_at_nothing_that_is_being_loaded() -> None:
    with loading():
        assert not gc.isenabled()

    assert gc.isenabled()


def test_it_looks_again_where_something_could_not_be_loaded() -> None:
    with pytest.raises(ImportError), loading():
        raise ImportError

    assert gc.isenabled()


def test_where_it_was_off_it_stays_off() -> None:
    gc.disable()
    try:
        with loading():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_worker_makes_what_it_serves_while_nothing_is_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    collected: dict[str, bool] = {}
    monkeypatch.setattr(app.main, "create_app", lambda: collected.update(made=gc.isenabled()))
    monkeypatch.setattr(Sparing, "start", lambda _: collected.update(spared=gc.isenabled()))
    monkeypatch.setattr(sys, "setswitchinterval", lambda _: collected.update(served=gc.isenabled()))

    worker()

    assert collected == {"made": False, "spared": False, "served": True}
