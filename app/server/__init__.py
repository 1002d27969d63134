"""How a process serves: the command `serve`, sockets, protocols, workers."""
