"""CALL: named operations of the bridge, and any coroutine of SGLang's TokenizerManager with its typed argument filled from a map."""

import inspect
import os
import typing

from . import compat
from .facts import ready


class NotFound(Exception):
    """The name is no operation of this release."""


class Control:
    def __init__(self, engine, intake, server_args):
        self._engine, self._manager, self._intake, self._args = engine, engine.tokenizer_manager, intake, server_args

    async def call(self, method: str, args: dict):
        """Runs an operation; its value can be encoded."""
        own = getattr(self, f"_{method}", None)
        if own is not None and method in OWN:
            return await own(args)
        target = getattr(self._manager, method, None)
        needed = NEEDS.get(method)
        if needed is not None and hasattr(self._args, needed) and not getattr(self._args, needed):
            raise ValueError(f"{method} needs an SGLang that was started with --{needed.replace('_', '-')}")
        if method.startswith("_") or target is None or not callable(target):
            raise NotFound(f"no operation {method!r} in this SGLang")
        result = target(*arguments(target, args))
        if inspect.isawaitable(result):
            result = await result
        if method == "continue_generation":
            self._intake.resume()
        return plain(result)

    async def _ping(self, _args):
        return {"pid": os.getpid(), "requests": self._intake.count}

    async def _metrics(self, _args):
        return metrics_text()

    async def _server_info(self, _args):
        info = ready.plain_args(self._args)
        info["internal_states"] = plain(await self._manager.get_internal_state())
        info["version"] = compat.version()
        return info

    async def _abort_all(self, _args):
        aborted = self._intake.abort_all()
        self._manager.abort_request(rid="", abort_all=True)
        return {"aborted": aborted}

    async def _start_profile(self, args):
        method = self._manager.start_profile
        return plain(await (method(*arguments(method, args)) if takes_struct(method) else method(**args)))

    async def _stop_profile(self, _args):
        return plain(await self._manager.stop_profile())

    async def _list_loras(self, _args):
        registry = getattr(self._manager, "lora_registry", None)
        adapters = registry.get_all_adapters().values() if hasattr(registry, "get_all_adapters") else []
        return [{name: getattr(adapter, name, None) for name in ("lora_name", "lora_path", "pinned")} for adapter in adapters]


def metrics_text() -> str:
    """Prometheus text of all of this node's SGLang processes; empty without --enable-metrics."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return ""
    from prometheus_client import CollectorRegistry, generate_latest, multiprocess

    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
    return generate_latest(registry).decode()


NEEDS = {
    "start_expert_distribution_record": "expert_distribution_recorder_mode",
    "stop_expert_distribution_record": "expert_distribution_recorder_mode",
    "dump_expert_distribution_record": "expert_distribution_recorder_mode",
    "release_memory_occupation": "enable_memory_saver",
    "resume_memory_occupation": "enable_memory_saver",
}
"""Operations that do nothing, or end the scheduler, unless SGLang was started for them."""

OWN = frozenset(["ping", "metrics", "server_info", "abort_all", "start_profile", "stop_profile", "list_loras"])


def arguments(target, args: dict) -> list:
    """Positional arguments for a TokenizerManager method: its first parameter is an io_struct made from `args`, or plain values by name;
    a FastAPI request that it may ask for is None."""
    hints = hints_of(target)
    values, used = [], False
    for name, parameter in inspect.signature(target).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.KEYWORD_ONLY):
            continue
        struct = struct_of(hints.get(name))
        if struct is not None and not used:
            unknown = set(args) - set(compat.fields_of(struct))
            if unknown:
                raise ValueError(f"{struct.__name__} has no {', '.join(sorted(unknown))}")
            values.append(struct(**args) if args or parameter.default is parameter.empty else parameter.default)
            used = True
        elif name in args:
            values.append(args[name])
        elif parameter.default is not parameter.empty:
            values.append(parameter.default)
        elif any(word in str(parameter.annotation) for word in ("Request", "Optional", "None")):
            values.append(None)
        else:
            raise ValueError(f"{name} is missing")
    return values


def hints_of(target) -> dict:
    """Types of a method's parameters, as far as they are known at run time: one that only type checkers see (SGLang's `self`) is left out."""
    function = inspect.unwrap(getattr(target, "__func__", target))
    hints = {}
    for name, hint in getattr(function, "__annotations__", {}).items():
        if isinstance(hint, str):
            try:
                hint = eval(hint, function.__globals__)  # noqa: S307 - SGLang's own source, as typing.get_type_hints does
            except Exception:
                continue
        hints[name] = hint
    return hints


def takes_struct(target) -> bool:
    """Whether a method wants an io_struct, or its members one by one."""
    return any(struct_of(hint) is not None for hint in hints_of(target).values())


def struct_of(hint):
    """The io_struct class that a type hint names (also inside Optional), or None."""
    for candidate in (hint, *typing.get_args(hint)):
        if inspect.isclass(candidate) and candidate.__module__.startswith("sglang.srt.managers.io_struct"):
            return candidate
    return None


def plain(value):
    """A result as maps, lists and scalars."""
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return value
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    module = type(value).__module__
    if module.startswith("sglang."):
        return {name: plain(getattr(value, name, None)) for name in compat.fields_of(type(value))}
    return str(value)
