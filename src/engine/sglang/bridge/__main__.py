"""Entry of `python -u <this folder> [diffusion] <SGLang's arguments>`: makes the folder importable as a package, also for the spawned workers, then
runs the main of the engine's kind: SGLang's language models, or its diffusion engine."""

import importlib
import os
import sys

if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    # As a package its modules cannot be mistaken for anybody's top-level module; children inherit this path.
    sys.path[0] = os.path.dirname(here)
    package = os.path.basename(here)
    importlib.import_module(package + ".imports").begin()
    argv = sys.argv[1:]
    diffusion = argv[:1] == ["diffusion"]
    name = ".diffusion.main" if diffusion else ".main"
    importlib.import_module(package + name).main(argv[1:] if diffusion else argv)
