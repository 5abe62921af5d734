"""The error for input that the user can mend."""


class InputError(ValueError):
    """Bad input that the user can mend.

    The message is one line: where, what was found, what was expected, what to do.
    """
