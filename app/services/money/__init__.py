"""Money: what a payment provider is asked, what it says later, and refunds."""
