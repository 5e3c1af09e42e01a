"""Looks before each block of the transformer whether its job is still wanted. The host gives work to the GPU up to a thousand kernels ahead, most of a
step: who only looks between steps leaves a GPU busy for nearly two of them."""

import os

from . import jobs

_FEW = 4
"""Lists of modules shorter than this are no stacks of blocks."""


class Watch:
    """`job` is what runs now; None: blocks go through without a look."""

    def __init__(self):
        self.job: int | None = None

    def over(self, stage, batch, server_args):
        """Puts the look on the blocks of the stage's models, once, unless an exception in the middle of a forward pass would leave something behind."""
        if _leaves_state(stage, batch, server_args):
            return
        for name in ("transformer", "transformer_2"):
            model = getattr(stage, name, None)
            if model is None or getattr(model, "_dsgl_watched", False) or not hasattr(model, "named_children"):
                continue
            model._dsgl_watched = True
            for _, stack in model.named_children():
                if type(stack).__name__ == "ModuleList" and len(stack) >= _FEW:
                    for block in stack:
                        block.register_forward_pre_hook(self._look)

    def _look(self, _block, _args):
        job = self.job
        if job is not None and not os.path.exists(jobs.path_of(job)):
            raise jobs.Cancelled("cancelled within a step")


def _leaves_state(stage, batch, server_args) -> bool:
    """Compiled graphs would break at the look; weights that come and go block by block, and caches over steps, count on whole passes."""
    flags = ("enable_torch_compile", "use_fsdp_inference", "dit_layerwise_offload", "cache_dit_config")
    moved = set(getattr(server_args, "layerwise_offload_components", None) or []) & {"dit", "all", "transformer", "transformer_2"}
    cached = getattr(stage, "_cache_dit_enabled", False) or getattr(batch, "enable_teacache", False)
    return bool(moved or cached or any(getattr(server_args, flag, None) for flag in flags))
