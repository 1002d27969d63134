"""The account that the embedded servers run as: our own; for root, which PostgreSQL refuses, another that exists."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class EmbeddedError(Exception):
    """An embedded server cannot start. The text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine."""

    name: str
    uid: int
    gid: int

    @property
    def is_another(self) -> bool:
        """It is not the account of this process: only root can start processes as it, or give it files."""
        return self.uid != os.geteuid()

    def may(self, what: str, path: Path) -> bool:
        """Whether the account has this permission: `-x` to enter a directory or run a file, `-r` to read.

        A child process tries it as that account.
        """
        asked = subprocess.run(  # noqa: S603 (a fixed command, its arguments apart)
            ["/bin/sh", "-c", 'test "$1" "$2"', "sh", what, str(path)],
            check=False,
            cwd="/",
            **self.as_child(),
        )
        return asked.returncode == 0

    def as_child(self) -> dict[str, Any]:
        """The arguments with which `subprocess` starts a child process as this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.is_another else {}

    def own(self, directory: Path) -> None:
        """Create a directory that only this account can access, or check that an existing one is so.

        Raises:
            EmbeddedError: it exists and is not.
        """
        try:
            directory.mkdir(mode=0o700)
        except FileExistsError:
            found = directory.lstat()
            if not directory.is_dir() or directory.is_symlink() or found.st_uid != self.uid or found.st_mode & 0o077:
                raise EmbeddedError(f"{directory} can be accessed by others than {self.name}: remove it.") from None
            return
        if self.is_another:
            os.chown(directory, self.uid, self.gid)


def me() -> Account:
    """The account that this process runs as."""
    uid = os.geteuid()
    return Account(name_of(uid), uid, os.getegid())


def server_account() -> Account:
    """The account to run the servers as: our own; for root, the user postgres or nobody.

    Raises:
        EmbeddedError: we are root, and neither user exists.
    """
    if os.geteuid() != 0:
        return me()
    for name in ("postgres", "_postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedError(
        "PostgreSQL does not run as root, and this machine has no user postgres or nobody. Run Usher as another user."
    )


def name_of(uid: int) -> str:
    """The name of a user, or its number when it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
