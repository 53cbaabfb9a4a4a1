"""Short symbolic expressions that classify."""
