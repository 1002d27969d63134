"""What organizers do: theaters, layouts, screenings; and the demo."""
