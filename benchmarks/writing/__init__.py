"""Writes what is generated: the statements, the tables of settings, the pictures."""
