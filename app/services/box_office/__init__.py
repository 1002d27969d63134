"""The box office: every change of seats goes through this one door, batch by batch."""
