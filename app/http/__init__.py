"""HTTP: what lies between ASGI and a route."""
