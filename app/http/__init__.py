"""What lies between ASGI and a route."""
