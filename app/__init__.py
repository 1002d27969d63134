"""Usher: a seat reservation service for theaters and cinemas. Start reading in `main.py`, or in `domain/`."""

__version__ = "0.1.0"
