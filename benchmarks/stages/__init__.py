"""What is measured stands on: houses, buyers, a past, and the servers."""
