"""What goes wrong with data, told so that the reader can mend it."""

from nnlm2bert.errors import UserError


class CorpusError(UserError):
    """A data set cannot be had; the message names the set, the file and the next step."""
