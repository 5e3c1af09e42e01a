"""CALL: LoRA, and what else the bridge answers by name."""

import inspect
import os

_GENERATOR = ("set_lora", "merge_lora_weights", "unmerge_lora_weights", "list_loras")
"""Methods of SGLang's DiffGenerator; their arguments are its own."""


class NotFound(Exception):
    """The name is no operation of this release."""


class Control:
    """`alone`: the lock around each call into a release that takes one at a time, or None."""

    def __init__(self, generator, jobs):
        self._generator, self._jobs = generator, jobs

    def call(self, method: str, args: dict):
        """Runs an operation, which waits for the jobs before it; its value can be encoded. Raises what SGLang raises."""
        if method == "ping":
            return {"pid": os.getpid(), "requests": self._jobs.count()}
        target = getattr(self._generator, method, None) if method in _GENERATOR else None
        if target is None:
            raise NotFound(f"no operation {method!r} in this SGLang")
        unknown = set(args) - set(inspect.signature(target).parameters)
        if unknown:
            raise ValueError(f"{method} has no {', '.join(sorted(unknown))}")
        for path in _paths(args.get("lora_path")):
            if path.startswith(("/", ".", "~")) and not os.path.exists(os.path.expanduser(path)):
                raise ValueError(f"{path} does not exist")
        if self._jobs.alone is None:
            return target(**args)
        with self._jobs.alone:
            return target(**args)


def _paths(given) -> list[str]:
    return [path for path in (given if isinstance(given, list) else [given]) if isinstance(path, str)]


def described(error: Exception) -> dict:
    """A failed call for REPLY: a status below 500 when the caller is at fault."""
    text = str(error)
    fault = isinstance(error, (ValueError, TypeError)) or any(words in text for words in ("fits no layer", "not found in the pipeline", "Invalid target"))
    kind = "not_found" if isinstance(error, NotFound) else type(error).__name__
    return {"type": kind, "message": text, "status": 404 if isinstance(error, NotFound) else 400 if fault else 500}
