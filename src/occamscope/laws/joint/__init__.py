"""Laws of more than two classes, fitted together."""
