"""The stories of organizers: theaters, layouts, screenings, the history of seats; and the demo."""
