"""Payments, refunds, and the books of the dummy provider."""
