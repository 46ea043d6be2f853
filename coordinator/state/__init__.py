"""Claims, attempts and spend, kept where all runners see them."""
