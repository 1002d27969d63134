"""What organizers say about houses, and what follows from it."""
