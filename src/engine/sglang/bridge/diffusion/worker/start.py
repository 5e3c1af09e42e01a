"""Hook on the worker's life: its imports are over; an error that ends it is kept where the bridge reads it, because the launcher only learns that the worker is gone."""

import functools
import logging

from ... import imports


def hook(gpu_worker):
    run = gpu_worker.run_scheduler_process

    @functools.wraps(run)
    def run_scheduler_process(*args, **kwargs):
        imports.end()
        try:
            return run(*args, **kwargs)
        except BaseException as error:
            logging.getLogger("dynamo-sglang").error("%s: %s", type(error).__name__, error)  # failure.record_errors keeps it
            raise

    gpu_worker.run_scheduler_process = run_scheduler_process
