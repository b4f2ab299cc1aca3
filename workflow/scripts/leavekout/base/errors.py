"""The exceptions whose messages are for the user."""

from collections.abc import Sequence


class InputError(ValueError):
    """A problem in a configuration, file or array that the user can fix.

    The message is a single sentence: what is wrong, where, and what to do. Scripts print
    it without a traceback and exit with status 1.
    """


def first_few(names: Sequence[object], shown: int = 3) -> str:
    """The first of several names, and how many more there are."""
    more = f" and {len(names) - shown:,} more" if len(names) > shown else ""
    return ", ".join(f"'{name}'" for name in names[:shown]) + more


class Interrupted(Exception):
    """A signal asked the work to stop, and its state is saved.

    Args:
        signal_number: the signal, which determines the exit status.
    """

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.signal_number = signal_number
