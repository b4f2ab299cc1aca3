"""The exceptions whose message is written for the person at the terminal."""


class InputError(ValueError):
    """A configuration, file or array that the user can put right.

    The message is a single sentence: what is wrong, where, and what to do. Scripts print
    it without a traceback and exit with status 1.
    """


class Interrupted(Exception):
    """Work that was asked to stop, and has saved what it needs to go on.

    Args:
        signal_number: the signal that asked for it, from which the exit status follows.
    """

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.signal_number = signal_number
