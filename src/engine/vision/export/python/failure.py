"""What the user did or has is at fault; apart, because it must be there where packages are missing."""


class Failure(Exception):
    """The text says what to do; param is the option at fault where it is not the model."""

    def __init__(self, text, param=None):
        super().__init__(text)
        self.param = param
