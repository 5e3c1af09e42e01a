"""Python imports this at the start of each process whose PYTHONPATH names its folder: every contender of a GPU measurement alike.

- Checkpoints made of holes (shapes.py) get weights: N(0, 0.02) drawn on the transformer's device, the same in each process.
- Norms of widths that need CuTe-DSL kernels take SGLang's own torch path where the `cutlass` package is missing.
- Wall-clock marks (ms) go to the file DSGL_GPU_MARKS, a JSON line each: a `pass` begins, a `step` begins, has `stepped`, samples are `decoded`,
  the pass has `passed` (its frames are in the host's memory). `free`: after a failed pass the GPU has nothing left to do. While FILE.sum exists, `frames` tells the SHA-256 of what our bridge hands over."""

import functools
import importlib.abc
import importlib.util
import json
import os
import sys
import time

_SGLANG = "sglang.multimodal_gen.runtime"
_FILE = os.environ.get("DSGL_GPU_MARKS")


def mark(what: str, request, **more):
    line = json.dumps({"at": time.time() * 1000, "what": what, "id": getattr(request, "request_id", request), **more})
    fd = os.open(_FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(fd, line.encode() + b"\n")
    os.close(fd)


def fill(module):
    """Weights that lie on the disk as zeros."""
    stage, made = module.DenoisingStage, module.DenoisingStage.__init__

    @functools.wraps(made)
    def __init__(self, transformer, *args, **kwargs):
        import torch

        if transformer is not None and not getattr(transformer, "_filled", False):
            transformer._filled = True
            torch.manual_seed(0)
            for weight in transformer.parameters():
                if weight.is_floating_point():
                    weight.data.normal_(0, 0.02)
        made(self, transformer, *args, **kwargs)

    stage.__init__ = __init__


def mark_steps(module):
    stage, run = module.DenoisingStage, module.DenoisingStage._run_denoising_step

    @functools.wraps(run)
    def _run_denoising_step(self, ctx, step, batch, server_args):
        mark("step", batch, step=step.step_index)
        result = run(self, ctx, step, batch, server_args)
        mark("stepped", batch, step=step.step_index)
        return result

    stage._run_denoising_step = _run_denoising_step


def mark_passes(module):
    worker, execute = module.GPUWorker, module.GPUWorker._execute_forward_common

    @functools.wraps(execute)
    def _execute_forward_common(self, req, *, forward_fn, **rest):
        def forward():
            result = forward_fn()
            mark("decoded", req)
            return result

        mark("pass", req)
        result = execute(self, req, forward_fn=forward, **rest)
        failed = getattr(result, "error", None)
        mark("passed", req, failed=failed)
        if failed:
            import torch

            if torch.cuda.is_initialized():
                torch.cuda.synchronize()
            mark("free", req)
        return result

    worker._execute_forward_common = _execute_forward_common


def sum_frames(module):
    close = module.FrameFile.close

    def closed(self):
        if os.path.exists(f"{_FILE}.sum"):
            import hashlib

            mark("frames", self.path, sha256=hashlib.sha256(self._memory).hexdigest())
        close(self)

    module.FrameFile.close = closed


def plain_norms(module):
    if importlib.util.find_spec("cutlass") is None:
        for norm in (module._NormScaleShift, module._ScaleResidualNormScaleShift):
            norm.forward_cuda = norm.forward_native


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, changes):
        self._changes = changes

    def find_spec(self, name, path=None, target=None):
        changes = self._changes.pop(name, None)
        if changes is None:
            return None
        spec = importlib.util.find_spec(name)  # ours no more: the other finders answer
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            for change in changes:
                change(module)

        spec.loader.exec_module = exec_module
        return spec


_changes = {f"{_SGLANG}.layers.layernorm": [plain_norms], f"{_SGLANG}.pipelines_core.stages.denoising": [fill]}
if _FILE:
    _changes[f"{_SGLANG}.pipelines_core.stages.denoising"].append(mark_steps)
    _changes[f"{_SGLANG}.managers.gpu_worker"] = [mark_passes]
    _changes["dsgl_bridge.diffusion.frames"] = [sum_frames]
sys.meta_path.insert(0, _Finder(_changes))
