"""Our own claims, measured: what the product says of its error rates, asked of the shipped code again and again."""
