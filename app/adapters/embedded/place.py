"""The directories of the embedded servers. Permissions and owners change only of directories that we created.

The home (USHER_HOME) belongs to the user who starts Usher. Root's servers run as another account, which may have no
access there (`/root` is mode 700): then their files go to `/var/lib/usher/<hash of the home's path>`, and a copy of
the programs to `/var/lib/usher/programs`.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.adapters.embedded.account import Account, EmbeddedError, me, name_of, server_account

ELSEWHERE: Final = Path("/var/lib/usher")
_SOCKET_PATH_MAX: Final = 90  # Linux allows 107 bytes, macOS 103, with the name of the socket


@dataclass(frozen=True, slots=True)
class Place:
    """The directories of one installation, created and checked.

    Attributes:
        home: USHER_HOME; has the lock and the JWT secret.
        data: the data of the servers; the home, or a directory that their account can access.
        sockets: a short path that no other account can access: connections from here need no password.
        account: the account that the servers run as.
    """

    home: Path
    data: Path
    sockets: Path
    account: Account


def own_home(home: Path) -> Path:
    """The home, created if it is missing.

    Raises:
        EmbeddedError: it belongs to another user, or cannot be created.
    """
    home = home.expanduser().resolve()
    try:
        if not home.exists():
            home.mkdir(parents=True)
            home.chmod(0o711 if os.geteuid() == 0 else 0o700)  # 711: root's servers, another account, pass through
        if not home.is_dir():
            raise EmbeddedError(f"{home} is not a directory: choose another with USHER_HOME.")
        owner = home.stat().st_uid
    except PermissionError as error:
        raise EmbeddedError(
            f"{me().name} has no permission to create {error.filename}: choose another directory with USHER_HOME."
        ) from None
    if owner != os.geteuid():
        raise EmbeddedError(
            f"{home} belongs to {name_of(owner)}, and you are {me().name}: "
            f"run Usher as {name_of(owner)}, or choose another directory: USHER_HOME=~/.usher make run"
        )
    return home


def find_place(home: Path) -> Place:
    """The directories for the servers of this home, created and checked.

    Raises:
        EmbeddedError: see `own_home`; or a directory exists with the wrong owner or permissions.
    """
    home = own_home(home)
    account = _keeper_of(home) or server_account()
    data = _data_directory(home, account)
    sockets = data / "run"
    if len(os.fsencode(sockets)) > _SOCKET_PATH_MAX or not re.fullmatch(r"[\w./-]+", str(sockets), re.ASCII):
        sockets = Path("/tmp") / f"usher-{account.uid}-{_short_name(home)}"  # noqa: S108 (made with mode 700, or checked)
    account.own(sockets)
    return Place(home, data, sockets, account)


def reachable_program(program: Path, site: Path, parts: Iterable[str], name: str, account: Account) -> Path:
    """The program, or, if the account has no access to it, a copy that it can run.

    Args:
        program: the path of the program, below `site`.
        site: the directory of the installed packages.
        parts: the files and directories that the program needs, relative to `site`; missing ones are skipped.
        name: the name of the copy; each version needs its own.
        account: the account that will run it.
    """
    if account.may("-x", program):
        return program
    copy = ELSEWHERE / "programs" / name
    if not copy.exists():
        _our_directory(ELSEWHERE)
        _our_directory(copy.parent)
        unfinished = copy.with_name(f".{name}.{os.getpid()}")
        shutil.rmtree(unfinished, ignore_errors=True)
        for part in parts:
            if (site / part).exists():
                shutil.copytree(
                    site / part, unfinished / part, symlinks=True, ignore=shutil.ignore_patterns("*.a", "include")
                )
        for path in (unfinished, *unfinished.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        unfinished.rename(copy)
    return copy / program.relative_to(site)


def _keeper_of(home: Path) -> Account | None:
    """The account that root ran these servers as before: it owns the data."""
    for data in (ELSEWHERE / _short_name(home), home):
        if (kept := data / "postgresql").exists() and kept.stat().st_uid != os.geteuid():
            return Account(name_of(kept.stat().st_uid), kept.stat().st_uid, kept.stat().st_gid)
    return None


def _data_directory(home: Path, account: Account) -> Path:
    elsewhere = ELSEWHERE / _short_name(home)
    if not account.is_another or (not elsewhere.exists() and account.may("-x", home)):
        return home
    _our_directory(ELSEWHERE)
    _our_directory(elsewhere)
    return elsewhere


def _our_directory(directory: Path) -> None:
    """Create a directory of root's that others can only pass through, or check that an existing one is so."""
    try:
        directory.mkdir(parents=True)
        directory.chmod(0o711)
    except FileExistsError:
        found = directory.lstat()
        if directory.is_symlink() or found.st_uid != 0 or found.st_mode & 0o022:
            raise EmbeddedError(f"{directory} is writable by others than root: remove it.") from None
    except OSError as error:
        raise EmbeddedError(
            f"{directory} cannot be created ({error.strerror}): choose another directory with USHER_HOME."
        ) from None


def _short_name(home: Path) -> str:
    return hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
