"""What all tests rely on."""

import signal


def pytest_sessionstart() -> None:
    """Let Ctrl-C interrupt: a shell starts what it puts into the background without it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
