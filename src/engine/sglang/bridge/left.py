"""What SGLang makes in shared memory and among temporary files, and leaves there when it is killed, as engines are: noted by name in the socket folder as it is made, for our other
side (launch/left.ts), which removes it when the last process is gone."""

import os
import secrets
import tempfile

from . import compat


def note_load_files():
    """Of each engine one file with the load of its ranks (sglang: managers/load_snapshot.py)."""
    module = compat.load("sglang.srt.managers.load_snapshot")
    stock = getattr(module, "shm_path_for", None)
    if stock is None:
        return

    def noting(*args, **kwargs):
        path = stock(*args, **kwargs)
        note(path)
        return path

    module.shm_path_for = noting


def note_request_folders():
    """Of each diffusion request a folder with its large outputs, removed when it ends (sglang: multimodal_gen/runtime/ipc_array.py): here with a name of ours."""
    module = compat.load("sglang.multimodal_gen.runtime.ipc_array")
    prefix = getattr(module, "_REQUEST_PREFIX", None)
    if isinstance(prefix, str):
        module._REQUEST_PREFIX = f"{prefix}{secrets.token_hex(8)}_"
        note(f"/dev/shm/{module._REQUEST_PREFIX}*")


class NotingTempfile:
    """The module `tempfile` for one other module: names of files that shall stay are noted."""

    def __getattr__(self, name):
        return getattr(tempfile, name)

    @staticmethod
    def NamedTemporaryFile(*args, **kwargs):
        file = tempfile.NamedTemporaryFile(*args, **kwargs)
        if not kwargs.get("delete", True):
            note(file.name)
        return file


def note_socket_files():
    """Of each engine a handful of sockets between its processes, under names of temporary files (sglang: server_args.py, PortArgs)."""
    module = compat.load("sglang.srt.server_args")
    if getattr(module, "tempfile", None) is tempfile:
        module.tempfile = NotingTempfile()


def note(path: str):
    """One line of `left`; a star at its end stands for any."""
    try:
        with open(os.path.join(os.path.dirname(os.environ["DSGL_SOCK"]), "left"), "a") as file:
            file.write(f"{path}\n")
    except OSError:
        pass  # A file that stays is no reason to fail.
