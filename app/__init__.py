"""Usher: a seat reservation service for theaters and cinemas. Begin with `main.py`, or with the rules in `domain/`."""

__version__ = "0.1.0"
