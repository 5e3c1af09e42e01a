"""The user's arguments as SGLang's diffusion engine takes them: passed on as they are, with what they leave open filled in."""

import json
import os
import random
import socket
import sys


class ModelMissing(Exception):
    """There is no model where --model-path points."""


def value_of(argv: list[str], *names: str) -> str | None:
    """The last value of a flag (`--flag value` or `--flag=value`), under any of its names."""
    found = None
    for at, word in enumerate(argv):
        name, equals, value = word.partition("=")
        if name in names:
            found = value if equals else (argv[at + 1] if at + 1 < len(argv) else None)
    return found


def pipeline_of(path: str | None) -> str | None:
    """`_class_name` of a local model; None for the name of a model that SGLang is to fetch. Raises ModelMissing when a local path has no model."""
    if path is None:
        return None
    index = os.path.join(path, "model_index.json")
    others = ("modular_model_index.json", "config.json")
    if os.path.isfile(index):
        with open(index) as file:
            return json.load(file).get("_class_name")
    if os.path.isdir(path):
        if not any(os.path.isfile(os.path.join(path, name)) for name in others):
            raise ModelMissing(f"{path} is no diffusion model: {index} was not found")
    elif not os.path.isfile(path) and (path.startswith(("/", "./", "../", "~")) or path.count("/") != 1):
        raise ModelMissing(f"{path} does not exist: {index} was not found")
    return None


KNOWN_BY_PATH = {
    "FluxPipeline": ("flux.1", "FLUX.1-dev"),
    "Flux2Pipeline": ("flux.2", "FLUX.2-dev"),
}
"""Pipelines that SGLang recognises by a word in the path alone, and the model to name when the path lacks it."""


def completed(argv: list[str], pipeline: str | None) -> list[str]:
    """`argv` and what it leaves open: ports below the range that the kernel hands out, as many GPUs as tp times dp, and the model's kind."""
    added = []
    taken: set[int] = set()
    for flag in ("--port", "--scheduler-port", "--master-port"):
        if value_of(argv, flag) is None:
            added += [flag, str(free_port(taken))]
    if value_of(argv, "--num-gpus") is None:
        tp = value_of(argv, "--tp-size", "--tensor-parallel-size", "--tp") or "1"
        dp = value_of(argv, "--dp-size", "--data-parallel-size", "--dp") or "1"
        if tp.isdigit() and dp.isdigit():  # else SGLang says what is wrong with them
            added += ["--num-gpus", str(int(tp) * int(dp))]
    word, model = KNOWN_BY_PATH.get(pipeline or "", ("", None))
    path = value_of(argv, "--model-path", "--model") or ""
    if model is not None and word not in path.lower() and value_of(argv, "--model-id") is None:
        added += ["--model-id", model]
    return argv + added


def free_port(taken: set[int]) -> int:
    """A TCP port with room for the few after it that SGLang may take (dp)."""
    while True:
        port = random.randint(20_000, 31_900)
        if any(abs(port - other) < 16 for other in taken):
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        taken.add(port)
        return port


def server_args(argv: list[str]):
    """SGLang's ServerArgs by its own parser. Raises SystemExit, as that does, for flags that it does not know."""
    from sglang.multimodal_gen.runtime.server_args import prepare_server_args

    sys.argv = [sys.argv[0], *argv]  # older releases look there for what was given
    return prepare_server_args(argv)
