"""Puts our hooks on SGLang's modules at the moment each is loaded, by names that every supported release has. A name that is missing
leaves its hook out; the bridge is told which are on."""

import importlib.abc
import importlib.util
import os
import sys

from .. import messages
from . import decode, execute, lora, reports, start, step

_RUNTIME = "sglang.multimodal_gen.runtime"
_HOOKS = {
    f"{_RUNTIME}.pipelines_core.stages.denoising": [("steps", step.hook)],
    f"{_RUNTIME}.pipelines_core.stages.decoding": [("decode", decode.hook)],
    f"{_RUNTIME}.managers.gpu_worker": [("execute", execute.hook), ("start", start.hook)],
    f"{_RUNTIME}.pipelines_core.lora.pipeline": [("lora", lora.hook)],
    f"{_RUNTIME}.pipelines_core.lora_pipeline": [("lora", lora.hook)],  # where older releases have it
}


def install():
    """Waits for the modules; does nothing in a process that the bridge did not start."""
    if os.environ.get(messages.WORKER_SOCK):
        sys.meta_path.insert(0, _Finder(dict(_HOOKS)))


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, hooks):
        self._hooks = hooks

    def find_spec(self, name, path=None, target=None):
        hooks = self._hooks.pop(name, None)
        if hooks is None:
            return None
        spec = importlib.util.find_spec(name)  # ours no more: the other finders answer
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            reports.send([messages.HOOKS, os.getpid(), [name for name, hook in hooks if _put_on(hook, module)]])

        spec.loader.exec_module = exec_module
        return spec


def _put_on(hook, module) -> bool:
    try:
        hook(module)
        return True
    except AttributeError as error:
        print(f"dynamo-sglang: this SGLang lacks a seam: {error}", file=sys.stderr, flush=True)
        return False
