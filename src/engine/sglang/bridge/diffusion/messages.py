"""The diffusion role's words (WIRE.md): type numbers, and how a job is named inside SGLang. Knows nothing of SGLang."""

import re

GENERATE = 10
CANCEL = 12
STEP = 50
PREVIEW = 51
FRAMES = 52
DONE = 53
FAILED = 54
END = 60
HOOKS = 61

WORKER_SOCK = "DSGL_WORKER_SOCK"
"""Environment: where SGLang's workers reach the bridge."""
JOBS_DIR = "DSGL_JOBS_DIR"
"""Environment: a file for each wanted job lies here; the job ends before its next step once it is gone."""
MAKES = "DSGL_MAKES"
"""Environment: `image` or `video`, what the model must make."""
FRAMES_DIRS = "DSGL_FRAMES_DIRS"
"""Environment: folders for finished frames, the best first, separated by colons."""

_REQUEST = re.compile(r".+\.j(\d+)(?::(\d+))?")


def request_id(name: str, job: int) -> str:
    """The id that SGLang gets. With several outputs SGLang adds `:<output>`."""
    return f"{name}.j{job}"


def job_of(request_id) -> tuple[int, int] | None:
    """`(job, output)` of an id that we made; None for requests of SGLang's own (warm-ups)."""
    found = _REQUEST.fullmatch(request_id) if isinstance(request_id, str) else None
    return None if found is None else (int(found[1]), int(found[2] or 0))
