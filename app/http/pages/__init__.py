"""Pages for people: their files, what browsers may do with them, what they may show."""
