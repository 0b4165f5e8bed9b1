"""What can go wrong with the embedded servers, in words for the person who started them."""


class EmbeddedError(Exception):
    """A server cannot be found, started or stopped; the message says what to do about it."""


class InUse(EmbeddedError):
    """Another process that still runs holds this data folder."""
