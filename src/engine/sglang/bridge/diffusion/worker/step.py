"""Hook on the denoising step, the one place where SGLang can be asked to stop: progress, previews, and the end of unwanted jobs."""

import functools
import threading
import time

from .. import messages
from . import blocks, jobs, preview, reports

_inside = threading.local()
_watch = blocks.Watch()
marks: dict[int, list[float]] = {}
"""Job → when its first step began and its last one ended; execute.py takes it."""


def hook(denoising):
    stage = denoising.DenoisingStage
    stage._run_denoising_step = watched(stage._run_denoising_step)
    # Models that bring their own step: theirs is watched as well.
    inherited = stage.__init_subclass__

    def __init_subclass__(cls, **kwargs):
        inherited(**kwargs)
        own = cls.__dict__.get("_run_denoising_step")
        if own is not None:
            cls._run_denoising_step = watched(own)

    stage.__init_subclass__ = classmethod(__init_subclass__)


def watched(run):
    @functools.wraps(run)
    def _run_denoising_step(self, ctx, step, batch, server_args):
        ours = jobs.job_of(batch)
        if ours is None or getattr(_inside, "step", False):  # a step that calls the one it overrides counts once
            return run(self, ctx, step, batch, server_args)
        job, output = ours
        ranks = jobs.groups()
        every = jobs.leave_if_unwanted(job, f"step {step.step_index + 1}", ranks)
        before, begun = ctx.latents, time.monotonic()
        if not ranks:  # Several ranks can only leave together, between steps.
            _watch.over(self, batch, server_args)
            _watch.job = job
        _inside.step = True
        try:
            result = run(self, ctx, step, batch, server_args)
        finally:
            _inside.step, _watch.job = False, None
        if getattr(batch, "is_warmup", False):
            return result
        done, total = step.step_index + 1, len(ctx.timesteps)
        image = None
        if every and done % every == 0 and done < total:
            image = preview.latents(ctx, step.step_index, before, batch, server_args)  # on all ranks: each has a part
        if any(group.rank_in_group != 0 for group in ranks):
            return result
        marks.setdefault(job, [begun, begun])[1] = time.monotonic()
        if image is not None:
            reports.send([messages.PREVIEW, job, output, done, *image])
        reports.send([messages.STEP, job, output, done, total])
        return result

    return _run_denoising_step
