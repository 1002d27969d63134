"""Starting servers so that they cannot outlive us, and finding those that an earlier `kill -9` left running.

A server is identified by its working directory, which only it uses. The process id in a file may be stale: another
process may have got the same number.
"""

import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from app.adapters.embedded.account import Account, EmbeddedError

ON_LINUX: Final = sys.platform == "linux"
_SET_PARENT_DEATH_SIGNAL: Final = 1  # PR_SET_PDEATHSIG
_LIBC: Final = ctypes.CDLL(None, use_errno=True) if ON_LINUX else None
_LAST_WORDS: Final = 50
_FATAL: Final = re.compile(r" (?:FATAL|PANIC): ")
_OF_CLIENTS: Final = re.compile(r"the database system is |terminating connection ")
"""What PostgreSQL says to clients while it starts or stops is no reason."""
_ROOM: Final = 1 << 20
"""With less than this, no server starts."""
_CLEAN: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def die_with_parent(death_signal: signal.Signals, parent: int) -> None:
    """Get this signal when the parent process ends, even by a `kill -9`; on Linux only.

    Elsewhere the next start stops what is left. `parent` is the id of the process that started us.
    """
    if _LIBC is not None:
        _LIBC.prctl(_SET_PARENT_DEATH_SIGNAL, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:  # it was gone before we asked
            os.kill(os.getpid(), death_signal)


def start(
    command: Sequence[str], *, account: Account, directory: Path, log: Path, death_signal: signal.Signals
) -> subprocess.Popen[bytes]:
    """Start a server in its directory, as its account, in a session of its own: Ctrl-C reaches only us, and we stop it.

    Call this from a thread that lives on: when the thread that started a child ends, the kernel thinks the parent did.
    """
    parent = os.getpid()
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as output:
        return subprocess.Popen(  # noqa: S603 (our own command line, no shell)
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=directory,
            env=_CLEAN,
            start_new_session=True,
            preexec_fn=lambda: die_with_parent(death_signal, parent),
            **account.as_child(),
        )


def run(command: Sequence[str], *, account: Account, directory: Path, text: str = "") -> str:
    """Run a program and return what it printed.

    Raises:
        EmbeddedError: it failed; the text has the end of its output.
    """
    parent = os.getpid()
    done: subprocess.CompletedProcess[str] = subprocess.run(  # noqa: S603 (our own command line, no shell)
        command,
        check=False,
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd=directory,
        env=_CLEAN,
        start_new_session=True,
        preexec_fn=lambda: die_with_parent(signal.SIGKILL, parent),
        **account.as_child(),
    )
    if done.returncode != 0:
        raise EmbeddedError(f"{Path(command[0]).name} failed: {' '.join(done.stdout.split()[-60:])}")
    return done.stdout


def wait_until_ready(
    process: subprocess.Popen[bytes], is_ready: Callable[[], bool], *, log: Path, name: str, seconds: float
) -> None:
    """Wait until a server that was just started is ready.

    Raises:
        EmbeddedError: it ended, or was not ready within this timeout.
    """
    end = time.monotonic() + seconds
    while not is_ready():
        if process.poll() is not None:
            raise EmbeddedError(f"{name} did not start: {why_it_ended(log)} (see {log})")
        if time.monotonic() > end:
            stop(process, (signal.SIGQUIT, signal.SIGKILL), seconds=5)
            raise EmbeddedError(f"{name} was not ready within {seconds:.0f} seconds (timeout): see {log}")
        time.sleep(0.01)


def stop(process: subprocess.Popen[bytes], signals: Iterable[signal.Signals], *, seconds: float) -> None:
    """Stop a server: send each signal in turn, and wait some seconds after each."""
    for one in signals:
        process.send_signal(one)
        process.send_signal(signal.SIGCONT)  # a server that a test paused must wake up to hear it
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
        return


def end_orphans(directory: Path, leader: int | None, signals: Iterable[signal.Signals], *, seconds: float) -> None:
    """Stop every process that an earlier run left running in this directory.

    Args:
        directory: the working directory of a server. We hold its lock, so that what runs there is ours.
        leader: the main process, as the server's own files name it; it stops the others.
        signals: the signals to try, in this order.
        seconds: how long to wait after each signal.

    Raises:
        EmbeddedError: a process is still running.
    """
    for one in signals:
        there = processes_in(directory, leader)
        for pid in [leader] if leader in there and one is not signal.SIGKILL else there:
            _send(pid, one)
            _send(pid, signal.SIGCONT)
        end = time.monotonic() + seconds
        while there and time.monotonic() < end:
            time.sleep(0.01)
            there = processes_in(directory, leader)
        if not there:
            return
    pids = " ".join(map(str, there))
    raise EmbeddedError(f"A server of an earlier run still runs in {directory}. Stop it: kill -9 {pids}")


def processes_in(directory: Path, leader: int | None) -> list[int]:
    """The ids of processes with this working directory. Without /proc, only the leader is checked, by its command."""
    if ON_LINUX:
        return [
            int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and _works_in(entry, directory)
        ]
    if leader is None:
        return []
    listed = subprocess.run(  # noqa: S603 (a fixed command, its argument a number)
        ["/bin/ps", "-o", "command=", "-p", str(leader)], check=False, capture_output=True, text=True
    )
    return [leader] if str(directory) in listed.stdout else []


def why_it_ended(log: Path) -> str:
    """Why a server has just ended, for an error message: a full disk, or what it said last, the worst of that first."""
    if (full := _full_disk(log.parent)) is not None:
        return full
    try:
        lines = log.read_text(errors="replace").strip().splitlines()[-_LAST_WORDS:]
    except OSError:
        return "its log cannot be read"
    fatal = [line for line in lines if _FATAL.search(line) and not _OF_CLIENTS.search(line)]
    said = fatal or lines
    return said[-1] if said else "its log is empty"


def how_it_ended(code: int) -> str:
    """An exit code as `subprocess` has it, in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {-code}, {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


def identity(path: Path) -> tuple[int, int] | None:
    """What a file or directory is called by the kernel, whatever its name is; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _full_disk(directory: Path) -> str | None:
    """That the disk of this directory is full; None: it is not."""
    free = shutil.disk_usage(directory).free
    return None if free >= _ROOM else f"the disk of {directory} is full ({free // 1024} KiB are free)"


def _works_in(process: Path, directory: Path) -> bool:
    try:
        return (process / "cwd").readlink() == directory
    except OSError:  # it has just ended, or is somebody else's
        return False


def _send(pid: int, one: signal.Signals) -> None:
    try:
        os.kill(pid, one)
    except ProcessLookupError:
        return
