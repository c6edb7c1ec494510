"""The one exception for a user's mistake; the command line prints its message without a traceback."""


class UserError(Exception):
    """What was found and what to do about it, in one message."""


class Damaged(UserError):
    """A file is not what it should be: unlike one that could not be read, it is no use to keep it in its place."""
