"""Theaters, their seats and their reports as JSON."""
