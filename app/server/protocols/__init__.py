"""What goes over a socket: HTTP and WebSockets, their limits and their turns."""
