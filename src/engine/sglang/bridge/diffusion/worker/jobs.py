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


def preview_every(job: int) -> int:
    """As the bridge wrote it into the job's file; 0 when the file is gone."""
    try:
        with open(path_of(job)) as file:
            return int(file.read() or 0)
    except OSError:
        return 0


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


def leave_if_unwanted(job: int, before: str, ranks: list):
    """Raises Cancelled on all ranks of the request alike: the first rank looks, the others are told."""
    wanted = os.path.exists(path_of(job))
    for group in ranks:
        wanted = group.broadcast_object(wanted, src=0)
    if not wanted:
        raise Cancelled(f"cancelled before {before}")
