"""Errors that a user can act on."""


class InputError(ValueError):
    """Bad user data or settings; the message names the thing and the remedy."""
