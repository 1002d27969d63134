"""Where the embedded servers live. Only directories that we made are ever given other permissions or another owner.

The home belongs to whoever starts Usher. Root's servers run as another account, which may be unable to get there
(`/root` is mode 700): then their files go to `/var/lib/usher/<a name made of the home's path>`, and so do the programs.
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
_SOCKET_PATH_MAX: Final = 90  # the kernel takes 107 bytes, macOS 103; the name of the socket comes on top


@dataclass(frozen=True, slots=True)
class Place:
    """The directories of one installation, made and checked.

    Attributes:
        home: what was asked for; holds the lock and the secret.
        data: what the servers keep; the home, or a place that their account can reach.
        sockets: a short path, closed to everybody else: who gets in here needs no password.
        account: who the servers run as.
    """

    home: Path
    data: Path
    sockets: Path
    account: Account


def own_home(home: Path) -> Path:
    """The home, made if it is missing.

    Raises:
        EmbeddedError: it is somebody else's, or cannot be made.
    """
    home = home.expanduser().resolve()
    try:
        if not home.exists():
            home.mkdir(parents=True)
            home.chmod(0o711 if os.geteuid() == 0 else 0o700)  # 711: root's servers, another account, pass through
        if not home.is_dir():
            raise EmbeddedError(f"{home} is no directory: choose another with USHER_HOME.")
        owner = home.stat().st_uid
    except PermissionError as error:
        raise EmbeddedError(
            f"{error.filename} cannot be made by {me().name}: choose a directory of yours with USHER_HOME."
        ) from None
    if owner != os.geteuid():
        raise EmbeddedError(
            f"{home} belongs to {name_of(owner)}, and you are {me().name}: "
            f"run as {name_of(owner)}, or keep data of your own: USHER_HOME=~/.usher make run"
        )
    return home


def find_place(home: Path) -> Place:
    """The directories for the servers of this home, all made and checked.

    Raises:
        EmbeddedError: see `own_home`, and when a directory is not what it must be.
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
    """The program itself, or, when the account cannot get at it, the same in a copy that it can.

    Args:
        program: the program's path, somewhere below the site.
        site: the directory that the packages are in.
        parts: what of it the program needs; what is not there is not needed.
        name: what to call the copy; another version needs another name.
        account: who will run it.
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
    """The account that root lent to these servers last time: the data is its own."""
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
    """Make a directory of root's that others may pass through, no more, or make sure that it is one."""
    try:
        directory.mkdir(parents=True)
        directory.chmod(0o711)
    except FileExistsError:
        found = directory.lstat()
        if directory.is_symlink() or found.st_uid != 0 or found.st_mode & 0o022:
            raise EmbeddedError(f"{directory} can be written by others than root: remove it.") from None
    except OSError as error:
        raise EmbeddedError(
            f"{directory} cannot be made ({error.strerror}): choose another home with USHER_HOME."
        ) from None


def _short_name(home: Path) -> str:
    return hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
