"""Writes the vision tower of a model as ONNX: python export_vision.py '<options as JSON>'. The last line of stdout is the result as JSON; exit code 3
with a line {"missing": [...]} when packages lack."""

import importlib.util
import json
import os
import sys

NEEDED = ("numpy", "onnx")


def main(options):
    refused = refusal(options["modelPath"])
    if refused is not None:
        print(json.dumps({"failure": refused}))
        return 4
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        print(json.dumps({"missing": missing}))
        return 3
    from failure import Failure

    try:
        print(json.dumps(export(options)))
        return 0
    except Failure as error:
        print(json.dumps({"failure": str(error), **({"param": error.param} if error.param else {})}))
        return 4
    except (OverflowError, OSError) as error:
        print(json.dumps({"failure": str(error)}))
        return 4


def refusal(folder):
    """Why this model's tower cannot be exported, before anybody is told to install packages for it; None: it can, or that is seen later."""
    from failure import Failure
    from families import family_of

    try:
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
            family_of(json.load(file))
    except Failure as error:
        return str(error)
    except (OSError, ValueError, AttributeError):
        pass
    return None


def export(options):
    from checkpoint import Checkpoint, local_folder, read_config
    from families import describe
    from failure import Failure
    from graph import Graph, save
    from tower import Tower

    if options.get("out"):
        _check_place(options["out"])
    folder = local_folder(options["modelPath"])
    shape = describe(read_config(folder))
    checkpoint = Checkpoint(folder)
    kind, _ = checkpoint.stored("patch_embed.proj.weight")
    storage = options.get("storage") or {"BF16": "bfloat16", "F16": "float16"}.get(kind, "float32")
    path = options.get("out") or os.path.join(folder, "vision.onnx")
    _check_place(path)
    beside_path = f"{path}.data"
    half = f"{beside_path}.{os.getpid()}"
    inline = _tower_bytes(checkpoint, storage) <= options["inlineBytes"]
    beside = None if inline else open(half, "wb")
    try:
        graph = Graph(storage, beside, os.path.basename(beside_path))
        output, output_shape = Tower(graph, checkpoint, shape).build()
        facts = {**shape, "version": 2, "storage": storage, "weights": graph.digest.hexdigest(), "width": output_shape[1]}
        model = graph.model(shape["family"], output, output_shape, {"dynamo-sglang.vision": json.dumps(facts)})
        if beside is not None:
            beside.close()
        try:
            if beside is not None:
                os.replace(half, beside_path)
            save(model, path)
        except OSError as error:
            # Its own text names a file that was there for a moment only.
            raise Failure(f"{path} could not be written ({error.strerror}). Name another place with --out", "--out") from error
        if inline and os.path.exists(beside_path):
            os.remove(beside_path)
    finally:
        if beside is not None:
            beside.close()
            if os.path.exists(half):
                os.remove(half)
    size = sum(os.path.getsize(each) for each in (path, beside_path) if os.path.exists(each))
    return {"path": os.path.abspath(path), "bytes": size, "facts": facts}


def _check_place(path):
    """Raises where no file can be made there, as far as that is seen before the work."""
    from failure import Failure

    folder = os.path.dirname(os.path.abspath(path))
    if os.path.isdir(path):
        raise Failure(f"{path} is a folder. Name a file with --out, as {os.path.join(path, 'vision.onnx')}", "--out")
    if not os.path.isdir(folder):
        raise Failure(f"There is no folder {folder}. Make it, or name another place with --out", "--out")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Failure(f"Nothing may be written into {folder}. Name another place with --out", "--out")


def _tower_bytes(checkpoint, storage):
    return checkpoint.count() * (4 if storage == "float32" else 2)


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    sys.exit(main(json.loads(sys.argv[1])))
