"""The live feed: who watches which screening, and what has changed since a version."""
