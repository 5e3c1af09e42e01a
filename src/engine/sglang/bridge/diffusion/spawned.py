"""What multiprocessing runs first in each worker that SGLang spawns (as `__mp_main__`): puts the hooks in place. Nothing of SGLang is imported here."""

import importlib
import os

if __name__ == "__mp_main__":
    here = os.path.dirname(os.path.abspath(__file__))
    package = os.path.basename(os.path.dirname(here))
    importlib.import_module(f"{package}.imports").begin()
    importlib.import_module(f"{package}.failure").record_errors("scheduler")
    importlib.import_module(f"{package}.diffusion.worker.hooks").install()
