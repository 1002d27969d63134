"""Starting a server so that it cannot outlive us, and finding what an earlier `kill -9` left behind.

A server is known by its working directory, which is its own: a process id in a file may belong to somebody else by now.
"""

import ctypes
import os
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
_CLEAN: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def die_with_parent(death_signal: signal.Signals, parent: int) -> None:
    """Linux sends us this signal when our parent ends, however it ends. Elsewhere the next start tidies up."""
    if _LIBC is not None:
        _LIBC.prctl(_SET_PARENT_DEATH_SIGNAL, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:  # it was gone before we asked
            os.kill(os.getpid(), death_signal)


def start(
    command: Sequence[str], *, account: Account, directory: Path, log: Path, death_signal: signal.Signals
) -> subprocess.Popen[bytes]:
    """Start a server in its directory, as its account, in a session of its own: Ctrl-C is for us, who stop it then.

    Call it from a thread that stays: for the kernel, the end of the thread that started a child is that of its parent.
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
    """Run a program to its end and give what it printed.

    Raises:
        EmbeddedError: it failed; the text is the last of what it said.
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
    """Wait until a server that has just been started answers.

    Raises:
        EmbeddedError: it ended instead, or took too long.
    """
    end = time.monotonic() + seconds
    while not is_ready():
        if process.poll() is not None:
            raise EmbeddedError(f"{name} did not start: {last_line(log)} (all of it: {log})")
        if time.monotonic() > end:
            stop(process, (signal.SIGQUIT, signal.SIGKILL), seconds=5)
            raise EmbeddedError(f"{name} was not ready after {seconds:.0f} seconds; see {log}")
        time.sleep(0.01)


def stop(process: subprocess.Popen[bytes], signals: Iterable[signal.Signals], *, seconds: float) -> None:
    """End a server of ours: politely, then less so, giving each signal some seconds."""
    for one in signals:
        process.send_signal(one)
        process.send_signal(signal.SIGCONT)  # a server that a test paused must wake up to hear it
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
        return


def end_orphans(directory: Path, leader: int | None, signals: Iterable[signal.Signals], *, seconds: float) -> None:
    """End every process that works in this directory, as an earlier run may have left them.

    Args:
        directory: a server's own directory, of which we hold the lock: what works in it is nobody else's.
        leader: the process that its own files name as the chief; it ends the others.
        signals: what to try in this order, for some seconds each.
        seconds: how long to wait after each signal.
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
    raise EmbeddedError(f"A server of an earlier run still works in {directory} and cannot be ended: process {there}.")


def processes_in(directory: Path, leader: int | None) -> list[int]:
    """The processes whose working directory this is. Without /proc only the leader is looked at, by its command."""
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


def last_line(log: Path) -> str:
    """The last line of a log, for a message."""
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        return "no log"
    return lines[-1] if lines else "it said nothing"


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
