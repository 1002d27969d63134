"""What organizers say about houses."""
