"""The processor time of a process and of all that it started, as Linux counts it: it says more than the clock does on a
machine that others disturb.
"""

import os
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def is_counted() -> bool:
    """Whether this system tells."""
    return (_PROC / "self" / "stat").exists()


def seconds(*roots: int) -> float:
    """Processor seconds so far of these processes and their descendants that are still there."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for directory in _PROC.iterdir():
        if directory.name.isdigit():
            try:
                said = (directory / "stat").read_text()
            except OSError:  # it ended meanwhile
                continue
            fields = said.rpartition(")")[2].split()
            parents[int(directory.name)] = int(fields[1])
            ticks[int(directory.name)] = int(fields[11]) + int(fields[12])
    return sum(ticks[pid] for pid in ticks if _is_of(pid, roots, parents)) / _TICKS


def _is_of(pid: int, roots: tuple[int, ...], parents: dict[int, int]) -> bool:
    while pid > 1:
        if pid in roots:
            return True
        pid = parents.get(pid, 0)
    return False
