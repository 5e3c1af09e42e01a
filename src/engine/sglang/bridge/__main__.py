"""Entry of `python -u <this folder>`: makes the folder importable as a package, also for the spawned schedulers, then runs `main.main`."""

import importlib
import os
import sys

if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    # As a package its modules cannot be mistaken for anybody's top-level module; children inherit this path.
    sys.path[0] = os.path.dirname(here)
    importlib.import_module(os.path.basename(here) + ".main").main(sys.argv[1:])
