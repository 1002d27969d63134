"""Pages for people. Each kind of visitor has a module: buyers now."""
