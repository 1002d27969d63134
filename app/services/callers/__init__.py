"""Where callers come from, and how often they may ask."""
