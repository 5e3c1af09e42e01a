"""What the user did or has is at fault; apart, because it must be there where packages are missing."""


class Failure(Exception):
    """The text says what to do."""
