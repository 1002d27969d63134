"""The box office: the only way to change seats, batch by batch."""
