"""Finding seats: wishes and what comes of them."""
