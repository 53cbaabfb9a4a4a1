"""PySR behind the protocol of the engines."""
