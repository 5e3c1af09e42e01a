"""Only for tests: Python runs this first where the folder is on PYTHONPATH. While the file FAULT_FILE exists, SGLang's workers fail in the denoising step with
the exception that its text names: `oom`, or a message of a RuntimeError."""

import importlib.abc
import importlib.util
import os
import sys

STAGE = "sglang.multimodal_gen.runtime.pipelines_core.stages.denoising"


def break_steps(denoising):
    step = denoising.DenoisingStage._run_denoising_step

    def failing(self, ctx, state, batch, server_args):
        path = os.environ["FAULT_FILE"]
        if state.step_index == 1 and os.path.exists(path):
            import torch

            with open(path) as file:
                text = file.read()
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB") if text == "oom" else RuntimeError(text)
        return step(self, ctx, state, batch, server_args)

    denoising.DenoisingStage._run_denoising_step = failing


class Finder(importlib.abc.MetaPathFinder):
    found = False

    def find_spec(self, name, path=None, target=None):
        if name != STAGE or self.found:
            return None
        self.found = True
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            break_steps(module)

        spec.loader.exec_module = exec_module
        return spec


if os.environ.get("FAULT_FILE"):
    sys.meta_path.insert(0, Finder())
