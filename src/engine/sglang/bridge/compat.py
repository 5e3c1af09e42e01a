"""What this SGLang release offers, found by looking, never by its version number. Everything that differs between releases is asked here."""

import dataclasses
import importlib
import inspect

LEVELS = ("L1", "L0", "L2")


def load(module: str, name: str | None = None):
    """A module, or a name in it; None when this release has neither."""
    try:
        found = importlib.import_module(module)
    except Exception:  # absent, or present and broken: either way it is not offered
        return None
    return found if name is None else getattr(found, name, None)


def fields_of(cls) -> list[str]:
    """Field names of an io_struct: a msgspec struct in newer releases, a dataclass or a plain class in older ones."""
    names = getattr(cls, "__struct_fields__", None)
    if names is not None:
        return list(names)
    if dataclasses.is_dataclass(cls):
        return [field.name for field in dataclasses.fields(cls)]
    return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]


def subset(batch, keep: list[int]):
    """The rows `keep` of a batched output as an object of the same class (columns are the lists as long as `rids`)."""
    count = len(batch.rids)
    values = {}
    for name in fields_of(type(batch)):
        column = getattr(batch, name, None)
        if isinstance(column, list) and len(column) == count:
            column = [column[i] for i in keep]
        values[name] = column
    return type(batch)(**values)


def sender_class():
    """The scheduler's wrapper around an output socket, with `send_output(output, recv_obj)`; None when there is none."""
    for module in ("sglang.srt.managers.scheduler_components.output_sender", "sglang.srt.managers.scheduler"):
        cls = load(module, "SenderWrapper")
        if cls is not None and hasattr(cls, "send_output"):
            return cls
    return None


def uses_arrays() -> bool:
    """Whether TokenizedGenerateReqInput wants `array('q')` token ids (a list before)."""
    cls = load("sglang.srt.managers.io_struct", "TokenizedGenerateReqInput")
    return "array" in str(getattr(cls, "__annotations__", {}).get("input_ids", ""))


def version() -> str | None:
    found = load("sglang.version", "__version__") or load("sglang", "__version__")
    return None if found is None else str(found)


def probe() -> tuple[list[str], str | None, dict]:
    """`(levels, unsupported, caps)`: levels that can work, why none can, and facts for the other side."""
    try:
        engine_module = importlib.import_module("sglang.srt.entrypoints.engine")
        io_struct = importlib.import_module("sglang.srt.managers.io_struct")
        manager_module = importlib.import_module("sglang.srt.managers.tokenizer_manager")
    except Exception as error:  # an installation can be broken in any way
        if getattr(error, "name", None) == "sglang":
            return [], "SGLang is not installed in this Python", {}
        return [], f"this SGLang cannot be loaded: {error}", {}
    engine, manager = getattr(engine_module, "Engine", None), getattr(manager_module, "TokenizerManager", None)
    if engine is None or manager is None or load("sglang.srt.server_args", "prepare_server_args") is None:
        return [], "this SGLang has no Engine that can be embedded", {}
    missing = missing_seams(engine, manager, io_struct)
    caps = {
        "missing": missing,
        "detokenizer_hook": hasattr(engine, "_launch_detokenizer_subprocesses"),
        "sampling_params": fields_of(importlib.import_module("sglang.srt.sampling.sampling_params").SamplingParams),
        "gen_fields": fields_of(io_struct.TokenizedGenerateReqInput) if not missing["L0"] else [],
    }
    levels = []
    if not missing["L0"]:
        if not missing["L1"]:
            levels.append("L1")
        levels.append("L0")
    if hasattr(engine, "async_generate"):
        levels.append("L2")
    if not hasattr(engine, "run_scheduler_process_func"):
        # Without this seam no error text and no pids come from the schedulers, and nothing guards against orphans.
        return [], "this SGLang is older than 0.5.9 (Engine has no run_scheduler_process_func)", caps
    return levels, None if levels else "this SGLang offers none of the seams the bridge needs", caps


def missing_seams(engine, manager, io_struct) -> dict[str, list[str]]:
    """Names that a level needs and this release lacks, by level (L1 needs L0's as well)."""
    wanted = [
        (engine, "init_tokenizer_manager_func"),
        (engine, "run_detokenizer_process_func"),
        (manager, "init_ipc_channels"),
        (manager, "_handle_batch_output"),
        (manager, "_handle_abort_req"),
        (manager, "auto_create_handle_loop"),
        (io_struct, "TokenizedGenerateReqInput"),
        (io_struct, "TokenizedEmbeddingReqInput"),
        (io_struct, "BatchTokenIDOutput"),
        (io_struct, "BatchEmbeddingOutput"),
        (io_struct, "AbortReq"),
    ]
    lacking = [f"{getattr(owner, '__name__', owner)}.{name}" for owner, name in wanted if not hasattr(owner, name)]
    if "output_ids" not in fields_of(getattr(io_struct, "BatchTokenIDOutput", object)):
        lacking.append("BatchTokenIDOutput.output_ids")
    return {"L0": lacking, "L1": [] if sender_class() is not None else ["SenderWrapper.send_output"]}


def send_to(io_struct, socket, obj, flags: int = 0):
    """Sends an io_struct the way this release encodes it."""
    send = getattr(io_struct, "sock_send", None)
    if send is not None:
        return send(socket, obj, flags)
    return socket.send_pyobj(obj, flags)


async def receive_from(io_struct, socket):
    """Next io_struct of an asyncio ZMQ socket."""
    receive = getattr(io_struct, "async_sock_recv", None)
    return await (receive(socket) if receive is not None else socket.recv_pyobj())
