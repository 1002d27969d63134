"""What describes the API: documents and problems."""
