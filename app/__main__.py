"""The command line: `python -m app serve`, and what an operator does by hand. Each command is one function."""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from app.adapters.embedded import EmbeddedError, jwt_secret, remove_data, urls_of
from app.db.migrations import current_and_head, downgrade, upgrade
from app.doctor import examine
from app.serving import serve
from app.settings import Settings, settings_or_exit

Command = Callable[[Settings, argparse.Namespace], int]


def main(words: list[str] | None = None) -> int:
    """Run one command; without words, those of the command line.

    Returns:
        The exit code: 0 done, 1 not done, 2 not understood, 3 a setting that cannot be used.
    """
    arguments = _parser().parse_args(words)
    command: Command = arguments.command
    try:
        return command(settings_or_exit(), arguments)
    except EmbeddedError as error:
        print(error, file=sys.stderr)
    except (OSError, SQLAlchemyError) as error:
        print(f"PostgreSQL cannot be used: {getattr(error, 'orig', None) or error}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="usher", description="Seat reservations. Settings come from the environment.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add(name: str, command: Command, explanation: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=explanation, description=explanation)
        added.set_defaults(command=command)
        return added

    add("serve", _serve, "start the service, and PostgreSQL and Valkey where no URL is given")
    add("migrate", _migrate, "bring the schema up to date").add_argument("--to", metavar="REVISION", default="head")
    add("demo", _demo, "load the demo theaters; twice changes nothing")
    add("sweep", _sweep, "tidy up what ran out, once")
    add("doctor", _doctor, "look whether everything is well")
    add("openapi", _openapi, "print the OpenAPI document")
    add("reset", _reset, "remove the data of the embedded servers")
    return parser


def _serve(settings: Settings, _: argparse.Namespace) -> int:
    return serve(settings)


def _migrate(settings: Settings, arguments: argparse.Namespace) -> int:
    url = _database_url(settings)
    going_down = arguments.to == "base" or arguments.to.startswith("-")
    asyncio.run(downgrade(url, arguments.to) if going_down else upgrade(url, arguments.to))
    print(f"The schema is at {asyncio.run(current_and_head(url))[0] or 'nothing'}.")
    return 0


def _demo(settings: Settings, _: argparse.Namespace) -> int:
    from app.services.demo import load_demo

    async def load() -> None:
        engine = create_async_engine(_database_url(settings))
        try:
            await load_demo(engine, datetime.now(UTC), settings)
        finally:
            await engine.dispose()

    asyncio.run(load())
    print("The demo theaters are there.")
    return 0


def _sweep(settings: Settings, _: argparse.Namespace) -> int:
    from app.main import sweep_once

    complete = settings
    if None in (settings.database_url, settings.redis_url):
        database_url, redis_url = urls_of(settings.usher_home)
        own = {
            "database_url": settings.database_url or database_url,
            "redis_url": settings.redis_url or redis_url,
            "jwt_secret": settings.jwt_secret or jwt_secret(settings.usher_home),
        }
        complete = settings.model_copy(update=own)
    print(f"Swept: {asyncio.run(sweep_once(complete))}")
    return 0


def _doctor(settings: Settings, _: argparse.Namespace) -> int:
    return 0 if examine(settings) else 1


def _openapi(settings: Settings, _: argparse.Namespace) -> int:
    from app.main import create_app

    print(json.dumps(create_app().openapi(), indent=2, ensure_ascii=False))
    return 0


def _reset(settings: Settings, _: argparse.Namespace) -> int:
    for directory in remove_data(settings.usher_home):
        print(f"Removed what Usher kept in {directory}")
    return 0


def _database_url(settings: Settings) -> str:
    """The database that was given, or our own, which runs while `usher serve` does."""
    return settings.database_url or urls_of(settings.usher_home)[0]


if __name__ == "__main__":
    sys.exit(main())
