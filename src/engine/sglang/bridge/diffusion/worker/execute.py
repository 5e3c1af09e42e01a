"""Hook on the worker's forward pass: finished frames go to shared memory from here, and the real exception is told (the reply only has its text)."""

import functools
import time
import traceback

from .. import messages
from ..frames import FrameFile, stand_in
from . import decode, jobs, pixels, reports, step


def hook(gpu_worker):
    worker = gpu_worker.GPUWorker
    worker._execute_forward_common = told(worker._execute_forward_common)
    worker._materialize_frame_outputs_for_return = shared(worker._materialize_frame_outputs_for_return)


def told(execute):
    """END after each pass: how many outputs it was for, where the time went, and why it failed."""

    @functools.wraps(execute)
    def _execute_forward_common(self, req, *, forward_fn, log_reqs, **rest):
        ours = jobs.job_of(req)
        if ours is None or getattr(req, "is_warmup", False):
            return execute(self, req, forward_fn=forward_fn, log_reqs=log_reqs, **rest)
        job = ours[0]
        begun, decoded, failure = time.monotonic(), None, None

        def forward():
            nonlocal decoded, failure
            try:
                result = forward_fn()
                decoded = time.monotonic()
                return result
            except Exception as error:
                failure = described(error)
                raise

        try:
            return execute(self, req, forward_fn=forward, log_reqs=log_reqs, **rest)
        except BaseException as error:
            failure = failure or described(error)
            raise
        finally:
            reports.send([messages.END, job, len(log_reqs), stages(job, begun, decoded), failure])

    return _execute_forward_common


def stages(job: int, begun: float, decoded: float | None) -> dict:
    """Milliseconds of each part of a pass that came to its end."""
    first, last = step.marks.pop(job, (None, None))
    if first is None or decoded is None:
        return {}
    ends = {"textMs": (begun, first), "denoiseMs": (first, last), "decodeMs": (last, decoded), "copyMs": (decoded, time.monotonic())}
    return {name: (end - start) * 1000 for name, (start, end) in ends.items()}


def described(error: BaseException) -> dict:
    """The exception's class and text, and the files it went through, innermost last."""
    files = [frame.filename.rpartition("/")[2] for frame in traceback.extract_tb(error.__traceback__)]
    return {"type": type(error).__name__, "message": str(error), "files": files[-12:]}


def shared(materialize):
    """SGLang turns samples into uint8 frames here, to send them to its client; ours go to a file that the other side maps, and a stand-in is sent."""

    @functools.wraps(materialize)
    def _materialize_frame_outputs_for_return(self, output_batch, req):
        ours = jobs.job_of(req)
        outputs = output_batch.output
        main = getattr(self, "is_output_rank", getattr(self, "rank", 0) == 0)
        if ours is None or outputs is None or not main or pixels.is_changed(req) or not all(pixels.is_sample(output) for output in outputs):
            return materialize(self, output_batch, req)
        job, first = ours
        for index, output in enumerate(outputs, first):
            if (job, index) in decode.whole:
                decode.whole.discard((job, index))
                continue
            frames = pixels.as_frames(output)
            count, height, width, _ = frames.shape
            file = FrameFile.make(job, index, count, height, width)
            file.write(0, frames)
            reports.send([messages.FRAMES, job, index, file.path, count, height, width, 0, count])
            file.close()
        output_batch.output = [stand_in() for _ in outputs]

    return _materialize_frame_outputs_for_return
