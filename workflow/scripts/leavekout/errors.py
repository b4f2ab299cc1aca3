"""The one exception whose message is written for the person at the terminal."""


class InputError(ValueError):
    """A configuration, file or array that the user can put right.

    The message is a single sentence: what is wrong, where, and what to do. Scripts print
    it without a traceback and exit with status 1.
    """
