"""Decisions about seats: a screening's state, a command and the time go in; what changes comes out."""
