"""Hook on the decoding stage: a clip's frames are told while the decoder still works on the later ones, so that they can be encoded meanwhile.
A decoder that keeps a cache of its causal convolutions gives finished frames, a few at each call. At the end they are compared with the
stage's own result, bit by bit, on the device: should they ever differ, that job fails, and from then on clips are told whole."""

import functools
import threading
from concurrent.futures import ThreadPoolExecutor

from .. import messages
from ..frames import FrameFile
from . import jobs, pixels, reports

_now = threading.local()
_maker = ThreadPoolExecutor(1)
_off = False
whole: set[tuple[int, int]] = set()
"""(job, output) of clips that were told to their last frame; execute.py takes them out."""


def hook(decoding):
    stage = decoding.DecodingStage
    stage.forward, stage.decode  # both or none
    stage.forward = noted(stage.forward)
    stage.decode = told(stage.decode)


def noted(forward):
    """decode() does not learn whose latents it decodes."""

    @functools.wraps(forward)
    def _forward(self, batch, server_args):
        _now.batch = batch
        try:
            return forward(self, batch, server_args)
        finally:
            _now.batch = None

    return _forward


def told(decode):
    @functools.wraps(decode)
    def _decode(self, latents, server_args, **rest):
        clip = Clip.of(getattr(_now, "batch", None), self.vae, latents, server_args)
        _now.batch = None  # of several calls (trajectories) only the first is the clip
        if clip is None:
            return decode(self, latents, server_args, **rest)
        handle = self.vae.decoder.register_forward_hook(clip.take)
        try:
            result = decode(self, latents, server_args, **rest)
        finally:
            handle.remove()
            clip.leave()
        clip.finish(result)
        return result

    return _decode


class Clip:
    """One clip while it is decoded."""

    def __init__(self, job: int, output: int, count: int, height: int, width: int):
        self._job, self._output, self._count = job, output, count
        self._file: FrameFile | None = None
        # Memory for a whole clip takes tens of milliseconds, which the device can use.
        self._ahead = _maker.submit(FrameFile.make, job, output, count, height, width)
        self._parts: list = []
        self._end = 0

    @classmethod
    def of(cls, batch, vae, latents, server_args) -> "Clip | None":
        """None where frames may be changed after the decoder, or where it does not give them in order."""
        ours = None if batch is None or getattr(batch, "is_warmup", False) else jobs.job_of(batch)
        if ours is None or _off or any(group.rank_in_group != 0 for group in jobs.groups()):
            return None
        config = getattr(vae, "config", None)
        in_order = getattr(vae, "use_feature_cache", False) and getattr(config, "patch_size", None) is None and hasattr(vae, "decoder")
        alone = latents is not None and latents.dim() == 5 and latents.shape[0] == 1 and latents.shape[2] > 1
        if not in_order or not alone or getattr(server_args, "enable_torch_compile", False) or pixels.is_changed(batch):
            return None
        if type(server_args.pipeline_config).post_decoding.__qualname__ != "PipelineConfig.post_decoding":
            return None
        return cls(*ours, int(batch.num_frames), int(batch.height), int(batch.width))

    def take(self, _module, _args, out):
        """Frames in -1..1, [1, 3, frames, height, width]. Nothing here may change them. Raises Cancelled when nobody wants them any more."""
        if not jobs.groups():  # Ranks that decode together cannot leave in the middle of it.
            jobs.leave_if_unwanted(self._job, f"frame {self._end + 1}", [])
        if out.dim() != 5 or out.shape[:2] != (1, 3) or self._end + out.shape[2] > self._count:
            self._count = -1  # Not the decoder we took it for: told whole, if nothing was told.
            return
        part = pixels.as_frames((out[0].float().clamp(-1, 1) / 2 + 0.5).clamp(0, 1))
        frames, height, width, _ = part.shape
        if self._file is None:
            self._file = self._made(height, width)
        first, self._end = self._end, self._end + frames
        self._file.write(first, part)
        self._parts.append(part)
        reports.send([messages.FRAMES, self._job, self._output, self._file.path, self._count, height, width, first, self._end])

    def _made(self, height: int, width: int) -> FrameFile:
        """The file, for the size that the decoder really gives."""
        file = self._ahead.result()
        if file.shape == (self._count, height, width):
            return file
        file.drop()
        return FrameFile.make(self._job, self._output, self._count, height, width)

    def leave(self):
        """Whatever happened: a file that was made and is not told of goes."""
        if self._file is None:
            try:
                self._ahead.result().drop()
            except OSError:
                pass  # there was no room for it

    def finish(self, result):
        """Marks the clip as told when it is the stage's result. Raises when other frames were told."""
        global _off
        if self._file is None:
            return
        self._file.close()
        import torch

        if self._end == self._count and torch.equal(torch.cat(self._parts), pixels.as_frames(result[0])):
            whole.add((self._job, self._output))
            return
        _off = True
        raise RuntimeError("the frames told while decoding are not those of the finished clip; later clips are told whole")
