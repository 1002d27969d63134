"""Where `./usher`, `python -m app` and `usher` begin. The commands are in `app/server/commands.py`."""

import sys

from app.loading import EXIT_INTERRUPTED, loading


def main(words: list[str] | None = None) -> int:
    """Run one command, by default the one of the command line.

    Returns:
        The exit code: 0 for success, 1 for a failure, 2 for wrong arguments, 3 for a setting that is not allowed, 130
        after Ctrl-C (`serve` ends with 0 then).
    """
    with loading():
        from app.server.commands import run  # here, and not above: Ctrl-C must find its handler
    try:
        return run(words)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
