"""The commands: `usher serve`, and those that operators run by hand. Each is one function.

A command imports by itself what it needs: all of Usher takes two seconds of a processor, the settings alone a third.
"""

import argparse
import asyncio
import json
import logging
import os
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app import __version__
from app.db.revisions import head
from app.domain.people.people import Role
from app.loading import loading

if TYPE_CHECKING:
    from app.settings import Settings

EXIT_UNHEARD: Final = 141
"""Nobody reads the output any more: what a shell says of a program that SIGPIPE ended."""

Command = Callable[["Settings", argparse.Namespace], int]


def run(words: list[str] | None = None) -> int:
    """Run one command, by default the one of the command line. Returns the exit code."""
    arguments = parser().parse_args(words)
    command: Command = arguments.command
    try:
        settings = _settings_of(command)
        code = command(settings, arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads has had enough (`| head`). What is left unsaid must not be tried again at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_UNHEARD
    except Exception as error:
        from app.server.failures import failure

        if (expected := failure(error)) is None:
            raise
        reason, code = expected
        print(reason, file=sys.stderr)
    return code


def _settings_of(command: Command) -> "Settings":
    """The settings. What looks misspelt in the environment is said; what is not allowed ends the program."""
    with loading():
        from app.settings import settings_or_exit, slips
    settings = settings_or_exit()
    if found := slips():
        from app.server.serving import say

        for slip in found:
            say(slip, settings, logging.WARNING, serves=command is _serve)
    return settings


class _Version(argparse.Action):
    """Says the version, and that of the database schema that belongs to it."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"Usher {__version__}, database schema {head()}, Python {platform.python_version()}")
        parser.exit()


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="usher", description="Seat reservations. Settings come from environment variables: see .env.example."
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and end")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add(name: str, command: Command, explanation: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=explanation, description=explanation)
        added.set_defaults(command=command)
        return added

    add("serve", _serve, "start the service, with its own PostgreSQL and Valkey where no URL is set")
    migrate = add("migrate", _migrate, "upgrade the database schema")
    migrate.add_argument("--to", metavar="REVISION", default="head", help="the revision to migrate to; default: head")
    add("demo", _demo, "load the demo theaters, unless they are there already")
    appoint = add("create-organizer", _create_organizer, "create an account with a role; asks for its password")
    appoint.add_argument("username")
    appoint.add_argument(
        "--role", choices=("staff", "organizer", "admin"), default="organizer", help="default: organizer"
    )
    appoint.add_argument("--email")
    appoint.add_argument("--reset-password", action="store_true", help="set a new password of an account that exists")
    promote = add("set-role", _set_role, "change the role of an account")
    promote.add_argument("username")
    promote.add_argument("role", choices=[role.value for role in Role])
    add("sweep", _sweep, "run the sweeper once: end expired holds, delete old keys and events")
    importing = add("import-layout", _import_layout, "import the seats of a theater: JSON, CSV, .xlsx, a pretix plan")
    importing.add_argument("file", metavar="FILE", type=Path)
    importing.add_argument("--theater", metavar="ID", type=_theater_id, help="the theater; default: create a new one")
    importing.add_argument("--name", help="name of the new theater; default: the one in the file")
    importing.add_argument(
        "--timezone", help="time zone of the new theater, such as Europe/Berlin; default: the one in the file"
    )
    importing.add_argument("--strict", action="store_true", help="take warnings for mistakes")
    exporting = add("export-layout", _export_layout, "write the seats of a theater into a file, to be imported again")
    exporting.add_argument("--theater", metavar="ID", type=_theater_id, required=True)
    exporting.add_argument("--format", choices=("usher", "csv", "pretix"), default="usher", help="default: usher")
    exporting.add_argument("--output", metavar="FILE", type=Path, help="default: the standard output")
    doctor = add("doctor", _doctor, "check PostgreSQL, Valkey and the database schema")
    doctor.add_argument("--books", action="store_true", help="also check the books of all payments")
    distribute = add("distribute", _distribute, "distribute the tables over the nodes of a Citus cluster")
    what = distribute.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", action="store_true", help="say what is missing, and change nothing")
    what.add_argument("--apply", action="store_true", help="do what is missing, then check")
    what.add_argument("--sql", action="store_true", help="print what --apply does, for psql")
    listing = add("settings", _settings, "print the settings as they are now, without secrets; * marks what was set")
    form = listing.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="print a table: name, default, meaning")
    form.add_argument("--env", action="store_true", help="print .env.example")
    add("openapi", _openapi, "print the OpenAPI document")
    reset = add("reset", _reset, "delete the data of the embedded servers, after asking")
    reset.add_argument("--yes", action="store_true", help="do not ask")
    return parser


def _serve(settings: "Settings", _: argparse.Namespace) -> int:
    with loading():
        from app.server.serving import serve

    return serve(settings)


def _migrate(settings: "Settings", arguments: argparse.Namespace) -> int:
    with loading():
        from app.db.migrations import current_and_head, downgrade, upgrade

    url = settings.migrations_database_url or _database_url(settings)
    going_down = arguments.to == "base" or arguments.to.startswith("-")
    asyncio.run(downgrade(url, arguments.to) if going_down else upgrade(url, arguments.to))
    print(f"The database schema is at revision {asyncio.run(current_and_head(url))[0] or 'base'}.")
    return 0


def _demo(settings: "Settings", _: argparse.Namespace) -> int:
    with loading():
        from app.db.connections import open_for_command
        from app.services.house.demo import load_demo

    async def load() -> None:
        engine = open_for_command(_database_url(settings))
        try:
            await load_demo(engine, datetime.now(UTC), settings, with_people=settings.is_embedded)
        finally:
            await engine.dispose()

    asyncio.run(load())
    print("The demo theaters are loaded.")
    return 0


def _create_organizer(settings: "Settings", arguments: argparse.Namespace) -> int:
    with loading():
        from app.server import appointing

    url = _database_url(settings)
    if arguments.reset_password:
        return appointing.reset_password(url, arguments.username)
    return appointing.create(url, arguments.username, Role(arguments.role), arguments.email)


def _set_role(settings: "Settings", arguments: argparse.Namespace) -> int:
    with loading():
        from app.server import appointing

    return appointing.set_role(_database_url(settings), arguments.username, Role(arguments.role))


def _sweep(settings: "Settings", _: argparse.Namespace) -> int:
    with loading():
        from app.main import sweep_once

    print(f"Expired holds swept: {asyncio.run(sweep_once(_complete(settings)))}")
    return 0


def _import_layout(settings: "Settings", arguments: argparse.Namespace) -> int:
    with loading():
        from app.domain.refusals import Refusal
        from app.main import import_once
        from app.schemas.imports import FileWrong, read_layout_file
        from app.schemas.problems.sentences import detail_of

    if arguments.theater is not None and (arguments.name or arguments.timezone):
        print("Use --name and --timezone only without --theater: that theater has them already.", file=sys.stderr)
        return 2
    try:
        content = arguments.file.read_bytes()
    except OSError as error:
        print(f"{arguments.file} cannot be read: {error.strerror}", file=sys.stderr)
        return 1
    try:
        file = read_layout_file(content, strict=arguments.strict)
        for warning in file.warnings:
            print(f"{arguments.file}: warning: {warning}", file=sys.stderr)
        what = (arguments.theater, arguments.name, arguments.timezone)
        theater_id, seat_count = asyncio.run(import_once(_complete(settings), file, *what))
    except FileWrong as wrong:
        print(*(f"{arguments.file}: {line}" for line in wrong.lines), sep="\n", file=sys.stderr)
        return 1
    except Refusal as refusal:
        print(detail_of(refusal), file=sys.stderr)
        return 1
    print(f"Theater {theater_id} now has {seat_count} {'seat' if seat_count == 1 else 'seats'}.")
    return 0


def _export_layout(settings: "Settings", arguments: argparse.Namespace) -> int:
    with loading():
        from app.domain.refusals import Refusal
        from app.main import export_once
        from app.schemas.house.layout_files import LayoutFormat
        from app.schemas.problems.sentences import detail_of

    try:
        content = asyncio.run(export_once(_complete(settings), arguments.theater, LayoutFormat(arguments.format)))
    except Refusal as refusal:
        print(detail_of(refusal), file=sys.stderr)
        return 1
    if arguments.output is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return 0
    try:
        arguments.output.write_bytes(content)
    except OSError as error:
        print(f"{arguments.output} cannot be written: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def _theater_id(written: str) -> int:
    """An id as PostgreSQL has them. argparse says what is wrong."""
    from app.schemas.format.ids import LARGEST_BIGINT

    if not (written.isascii() and written.isdigit()):
        raise argparse.ArgumentTypeError("this should be a whole number")
    if int(written[:20]) > LARGEST_BIGINT:
        raise argparse.ArgumentTypeError("this number is too large")
    return int(written)


def _doctor(settings: "Settings", arguments: argparse.Namespace) -> int:
    with loading():
        from app.server.doctor import examine

    return 0 if examine(settings, with_books=arguments.books) else 1


def _distribute(settings: "Settings", arguments: argparse.Namespace) -> int:
    with loading():
        from app.db.cluster import distribution
        from app.server import distributing

    if arguments.sql:
        print(distribution.script(), end="")
        return 0
    return distributing.report(_database_url(settings), settings, apply=arguments.apply)


def _settings(settings: "Settings", arguments: argparse.Namespace) -> int:
    with loading():
        from app.settings import texts

    if arguments.markdown:
        print(texts.markdown(), end="")
    elif arguments.env:
        print(texts.example(), end="")
    else:
        print(texts.effective(settings))
    return 0


def _openapi(settings: "Settings", _: argparse.Namespace) -> int:
    with loading():
        from app.main import create_app

    print(json.dumps(create_app().openapi(), indent=2, ensure_ascii=False))
    return 0


def _reset(settings: "Settings", arguments: argparse.Namespace) -> int:
    with loading():
        from app.adapters.embedded import remove_data, running_process

    home = settings.usher_home.expanduser()
    if settings.database_url is not None:
        print(
            "DATABASE_URL is set, so nothing was deleted. "
            f"To delete what an embedded PostgreSQL has left in {home}, unset DATABASE_URL first.",
            file=sys.stderr,
        )
        return 1
    if not home.exists():
        print(f"There is no data in {home}.")
        return 0
    if running_process(home) is None and not arguments.yes and not _agrees(home):
        print("Nothing was deleted.", file=sys.stderr)
        return 1
    for directory in remove_data(settings.usher_home):
        print(f"Deleted Usher's data in {directory}")
    return 0


def _agrees(home: Path) -> bool:
    """Whether somebody at the terminal types yes. Without an answer: no."""
    print(
        f"This deletes all data in {home.resolve()}: theaters, bookings, accounts. Type yes to go on: ",
        end="",
        flush=True,
    )
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        print()
    return answer.strip().lower() in {"y", "yes"}


def _complete(settings: "Settings") -> "Settings":
    """The settings, with the URLs and the secret of the embedded servers where none are set."""
    if None not in (settings.database_url, settings.redis_url):
        return settings
    from app.adapters.embedded import jwt_secret, urls_of

    database_url, redis_url = urls_of(settings.usher_home)
    own = {
        "database_url": settings.database_url or database_url,
        "redis_url": settings.redis_url or redis_url,
        "jwt_secret": settings.jwt_secret or jwt_secret(settings.usher_home),
    }
    return settings.model_copy(update=own)


def _database_url(settings: "Settings") -> str:
    """The URL of the database: DATABASE_URL, or the embedded PostgreSQL, which runs while `usher serve` runs."""
    if settings.database_url is not None:
        return settings.database_url
    from app.adapters.embedded import urls_of

    return urls_of(settings.usher_home)[0]
