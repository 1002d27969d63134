"""People, their names, and how often they may ask."""
