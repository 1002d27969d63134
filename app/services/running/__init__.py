"""How the work of one process is shared out, and measured."""
