"""Who the servers run as: ourselves, or for root, whom PostgreSQL refuses, an account that exists already."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class EmbeddedError(Exception):
    """An embedded server cannot be had; the text says what to do about it."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine."""

    name: str
    uid: int
    gid: int

    @property
    def is_another(self) -> bool:
        """It is not the one we are: to become it, or to give it a file, takes root."""
        return self.uid != os.geteuid()

    def may(self, what: str, path: Path) -> bool:
        """May it enter (`-x` a directory), run (`-x` a file) or read (`-r`) this? Asked by trying, as that account."""
        asked = subprocess.run(  # noqa: S603 (a fixed command, its arguments apart)
            ["/bin/sh", "-c", 'test "$1" "$2"', "sh", what, str(path)],
            check=False,
            cwd="/",
            **self.as_child(),
        )
        return asked.returncode == 0

    def as_child(self) -> dict[str, Any]:
        """The arguments by which subprocess starts a child as this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.is_another else {}

    def own(self, directory: Path) -> None:
        """Make a directory that only this account can look into, or make sure that it is one."""
        try:
            directory.mkdir(mode=0o700)
        except FileExistsError:
            found = directory.lstat()
            if not directory.is_dir() or directory.is_symlink() or found.st_uid != self.uid or found.st_mode & 0o077:
                raise EmbeddedError(f"{directory} is not a directory of {self.name} alone: remove it.") from None
            return
        if self.is_another:
            os.chown(directory, self.uid, self.gid)


def me() -> Account:
    """The account that this process runs as."""
    uid = os.geteuid()
    return Account(name_of(uid), uid, os.getegid())


def server_account() -> Account:
    """The account for the servers: ourselves, or for root one that may own a database.

    Raises:
        EmbeddedError: root has nobody to lend.
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
        "PostgreSQL does not run as root, and this machine has no user postgres or nobody to run it as."
    )


def name_of(uid: int) -> str:
    """The name of a user, or its number when it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
