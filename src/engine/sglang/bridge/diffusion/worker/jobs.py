"""The jobs as a worker sees them: which request is ours, whether it is still wanted, how often it wants previews."""

import os

from .. import messages


class Cancelled(Exception):
    """Nobody wants this job any more."""


def job_of(batch) -> tuple[int, int] | None:
    """`(job, output)` of a request that the bridge sent; None for SGLang's own."""
    return messages.job_of(getattr(batch, "request_id", None))


def path_of(job: int) -> str:
    return os.path.join(os.environ[messages.JOBS_DIR], str(job))


def preview_every(job: int) -> int | None:
    """As the bridge wrote it into the job's file; None when the file is gone, and with it the wish for the job."""
    try:
        with open(path_of(job)) as file:
            return int(file.read() or 0)
    except OSError:
        return None


def groups() -> list:
    """The groups of ranks that work on one request. Never all ranks of the engine: other replicas may be idle, and a broadcast to them hangs."""
    try:
        from sglang.multimodal_gen.runtime.distributed import parallel_state
    except ImportError:
        return []
    found = []
    for name in ("get_cfg_group", "get_sp_group", "get_tp_group"):
        try:
            group = getattr(parallel_state, name)()
        except (AttributeError, AssertionError, RuntimeError):  # absent in this release, or not set up for this run
            continue
        if group is not None and group.world_size > 1:
            found.append(group)
    return found


def leave_if_unwanted(job: int, before: str, ranks: list) -> int:
    """How often the job wants previews. Raises Cancelled when nobody wants the job, on all ranks of the request alike: the first rank looks, the
    others are told."""
    wish = preview_every(job)
    for group in ranks:
        wish = group.broadcast_object(wish, src=0)
    if wish is None:
        raise Cancelled(f"cancelled before {before}")
    return wish
