"""Importing SGLang makes about a million objects that stay for ever, and Python's collector looks through them again and again meanwhile:
a quarter to a third of the import's time (2 to 3.5 s of CPU in each process). So it rests until the import is over, and then leaves them out."""

import gc


def begin():
    """Before anything of SGLang is imported."""
    gc.disable()


def end():
    """After it: the collector works again, on what comes from now on. Without these objects a full collection takes no half second of a running engine."""
    gc.freeze()
    gc.enable()
