"""The one kind of error that the command line shows without a traceback."""


class UserError(Exception):
    """An error the reader can mend; its message says how. Shown without traceback."""
