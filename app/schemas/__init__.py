"""JSON: what goes in and out."""
