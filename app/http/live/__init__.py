"""The two doors of the live feed: Server-Sent Events and WebSockets."""
