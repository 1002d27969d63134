"""HTTP: parse, call one story, answer. No decisions."""
