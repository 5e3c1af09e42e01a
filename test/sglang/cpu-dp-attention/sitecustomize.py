"""For tests, on PYTHONPATH: data-parallel attention on a CPU. SGLang's plain CPU attention lacks one method that its idle batches ask for."""

import importlib.machinery
import sys

_MODULE = "sglang.srt.layers.attention.torch_native_backend"


class Finder:
    def find_spec(self, name, path=None, _target=None):
        if name != _MODULE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            # As SGLang's other CPU backend has it.
            module.TorchNativeAttnBackend.get_cpu_graph_seq_len_fill_value = lambda _self: 1

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, Finder())
