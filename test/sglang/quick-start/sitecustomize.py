"""For tests, on PYTHONPATH: importing SGLang makes millions of objects that stay; looking through them for garbage takes a quarter of the start."""

import gc

gc.set_threshold(100_000, 20, 100)
