"""The figure set; every figure comes with the table it draws."""
