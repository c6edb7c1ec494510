"""The one exception for a user's mistake; the command line prints its message without a traceback."""


class UserError(Exception):
    """What was found and what to do about it, in one message."""
