"""How a process serves: sockets, protocols, workers."""
