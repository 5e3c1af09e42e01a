"""A model folder as the Hub has it: config.json and safetensors files, read tensor by tensor without a framework."""

import json
import math
import os
import struct

import numpy as np
from failure import Failure

_TYPES = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "BF16": np.dtype("<u2"), "F64": np.dtype("<f8")}


def local_folder(model_path):
    """The folder itself, or the Hub's snapshot of a name as `Qwen/Qwen2.5-VL-3B-Instruct`."""
    if os.path.isdir(model_path):
        return model_path
    if os.path.exists(model_path) or model_path.count("/") != 1:
        raise Failure(f"{model_path} is neither a model folder nor the name of a model on the Hub")
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise Failure(f"{model_path} is no folder here; to fetch it from the Hub: pip install huggingface_hub") from None
    try:
        return snapshot_download(model_path, allow_patterns=["*.json", "*.safetensors"])
    except (OSError, ValueError) as failed:
        raise Failure(f"{model_path} is no folder here, and could not be fetched from the Hub: {failed}") from None


def read_config(folder):
    path = os.path.join(folder, "config.json")
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        raise Failure(f"{folder} has no config.json") from None
    except ValueError as error:
        raise Failure(f"{path} is not JSON: {error}") from None


class Checkpoint:
    """The tensors below the one prefix that ends where the vision tower begins (`visual.`, `model.visual.`)."""

    def __init__(self, folder):
        self._where = {}
        for path in sorted(_weight_files(folder)):
            for name, entry, start in _entries(path):
                self._where[name] = (path, entry, start)
        marker = "patch_embed.proj.weight"
        found = [name for name in self._where if name.endswith(marker)]
        if len(found) != 1:
            raise Failure(f"{folder} has {len(found)} tensors named *{marker}; one vision tower of Qwen's kind is expected")
        self._prefix = found[0][: -len(marker)]

    def has(self, name):
        return self._prefix + name in self._where

    def stored(self, name):
        """Type as the file says (BF16, F16, F32) and shape."""
        _, entry, _ = self._entry(name)
        return entry["dtype"], list(entry["shape"])

    def read(self, name):
        """float32, exactly what the file holds."""
        path, entry, start = self._entry(name)
        kind = _TYPES.get(entry["dtype"])
        if kind is None:
            raise Failure(f"{self._prefix}{name} is stored as {entry['dtype']}; quantized towers cannot be exported, take the unquantized model")
        begin, end = entry["data_offsets"]
        raw = np.fromfile(path, dtype=kind, count=(end - begin) // kind.itemsize, offset=start + begin)
        if entry["dtype"] == "BF16":
            raw = (raw.astype(np.uint32) << 16).view(np.float32)
        return raw.astype(np.float32, copy=False).reshape(entry["shape"])

    def count(self):
        """Numbers in the tower."""
        shapes = (entry["shape"] for name, (_, entry, _) in self._where.items() if name.startswith(self._prefix))
        return sum(math.prod(shape) for shape in shapes)

    def _entry(self, name):
        try:
            return self._where[self._prefix + name]
        except KeyError:
            raise Failure(f"the checkpoint has no tensor {self._prefix}{name}; its tower is not the one that config.json names") from None


def _weight_files(folder):
    index = os.path.join(folder, "model.safetensors.index.json")
    if os.path.exists(index):
        with open(index, encoding="utf-8") as file:
            return {os.path.join(folder, name) for name in json.load(file)["weight_map"].values()}
    single = os.path.join(folder, "model.safetensors")
    if not os.path.exists(single):
        raise Failure(f"{folder} has no model.safetensors (nor its index)")
    return {single}


def _entries(path):
    """(name, header entry, where the data begins) of each tensor; https://huggingface.co/docs/safetensors."""
    try:
        with open(path, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length))
    except (OSError, struct.error, ValueError) as error:
        raise Failure(f"{path} cannot be read as safetensors: {error}") from None
    return [(name, entry, 8 + length) for name, entry in header.items() if name != "__metadata__"]
