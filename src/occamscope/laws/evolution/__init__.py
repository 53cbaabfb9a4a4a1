"""The embedded regularised-evolution engine."""
