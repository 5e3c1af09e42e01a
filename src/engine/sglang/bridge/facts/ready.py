"""The READY map: what the running engine is, read from its objects by name."""

import asyncio
import dataclasses
import json
import logging

from .. import compat, failure
from . import disagg, nodes, sight

logger = logging.getLogger(__name__)


def plain_args(server_args) -> dict:
    """The effective server arguments as scalars."""
    view = compat.load("sglang.srt.arg_groups.model_override_base", "resolved_view")
    source = server_args
    if view is not None:
        try:
            source = view(server_args)
        except Exception:  # only a nicer view of the same values
            source = server_args
    names = [f.name for f in dataclasses.fields(server_args)] if dataclasses.is_dataclass(server_args) else compat.fields_of(type(server_args))
    found = {}
    for name in names:
        value = getattr(source, name, None)
        if value is None or isinstance(value, (bool, int, float, str)):
            found[name] = value
    return found


async def ready_map(engine, args: dict, level: str, load_secs: float) -> dict:
    """READY for a running engine; `args` from `plain_args`."""
    manager = engine.tokenizer_manager
    config = manager.model_config
    infos = scheduler_infos(engine)
    dp = dp_ranks(args)
    page = int(args.get("page_size") or 1)
    tokens = sum(int(info.get("max_total_num_tokens") or 0) for info in infos)
    if tokens and len(infos) < dp:
        tokens = tokens // len(infos) * dp
    return {
        "level": level,
        "sglang": compat.version(),
        "model_path": args.get("model_path"),
        "served_model_name": getattr(manager, "served_model_name", None) or args.get("served_model_name"),
        "is_embedding": not manager.is_generation,
        "context_len": manager.context_len,
        "max_req_input_len": manager.max_req_input_len,
        "num_reserved_tokens": getattr(manager, "num_reserved_tokens", 0) or 0,
        "vocab_size": config.vocab_size,
        "eos_ids": eos_ids(config, manager.tokenizer),
        "block_size": page * int(args.get("dcp_size") or 1),
        "page_size": page,
        "dp_size": dp,
        "tp_size": int(args.get("tp_size") or 1),
        "max_running_requests": await running_requests(manager, args, dp),
        "max_total_tokens": tokens,
        "is_mla": is_mla(config),
        "keeps_prefixes": keeps_prefixes(manager, args),
        "sight": sight.sight(manager, args),
        "max_prefill_tokens": prefill_step(args),
        "disaggregation_mode": args.get("disaggregation_mode"),
        "bootstrap": disagg.bootstrap_address(args),
        "enable_metrics": bool(args.get("enable_metrics")),
        "load_secs": load_secs,
        "kv_events": kv_endpoints(args, nodes.local_ranks(args, dp)),
        "schedulers": failure.noted_pids("scheduler"),
        "chat_template": getattr(manager.tokenizer, "chat_template", None) if manager.tokenizer is not None else None,
    }


def dp_ranks(args: dict) -> int:
    """How many DP ranks requests may be sent to: replicas, or the groups of data-parallel attention (which newer releases count apart)."""
    return max(1, int(args.get("dp_size") or 1)) * max(1, int(args.get("attn_dp_size") or 1))


def keeps_prefixes(manager, args: dict) -> bool:
    """Whether KV of a prompt is found again. SGLang keeps none for transformers' own models that see or hear (mem_cache/kv_cache_builder.py), which have a
    processor of their own (multimodal/processors/transformers_auto.py)."""
    return not args.get("disable_radix_cache") and not hasattr(getattr(manager, "mm_processor", None), "_apply_hf_processor")


def is_mla(config) -> bool:
    """Whether KV is the same on every tensor-parallel rank, so that prefill and decode may differ in their number of ranks."""
    return str(getattr(config, "attention_arch", "")).rpartition(".")[2] == "MLA"


def prefill_step(args: dict) -> int | None:
    """Most prompt tokens that one prefill step computes: whole prompts up to one limit, chunks of a prompt up to another."""
    limits = [int(args[name]) for name in ("max_prefill_tokens", "chunked_prefill_size") if int(args.get(name) or 0) > 0]
    return min(limits) if limits else None


async def running_requests(manager, args: dict, dp: int) -> int:
    """How many requests all ranks together run at once; the schedulers know, the arguments may leave it open. 0: unknown."""
    try:
        states = await asyncio.wait_for(manager.get_internal_state(), 10)
        return sum(int(state["effective_max_running_requests_per_dp"]) for state in states)
    except Exception as error:
        logger.warning("dynamo-sglang: the schedulers do not tell how much they run at once: %r", error)
        return int(args.get("max_running_requests") or 0) * dp


def scheduler_infos(engine) -> list[dict]:
    result = getattr(engine, "_scheduler_init_result", None)
    if result is not None:
        return list(result.scheduler_infos)
    info = getattr(engine, "scheduler_info", None)
    return [info] if info else []


def eos_ids(config, tokenizer) -> list[int]:
    ids = getattr(config, "hf_eos_token_id", None) or set()
    ids = {ids} if isinstance(ids, int) else set(ids)
    own = getattr(tokenizer, "eos_token_id", None)
    return sorted(ids | ({own} if isinstance(own, int) else set()))


def node_map(engine, args: dict, load_secs: float) -> dict:
    """READY for a node that takes no requests: what is known of the model without a tokenizer manager, and what is this node's own."""
    dp = dp_ranks(args)
    page = int(args.get("page_size") or 1)
    tokens = max((int(info.get("max_total_num_tokens") or 0) for info in scheduler_infos(engine)), default=0)
    longest = max((int(info.get("max_req_input_len") or 0) for info in scheduler_infos(engine)), default=0)
    return {
        "level": nodes.LEVEL,
        "sglang": compat.version(),
        "model_path": args.get("model_path"),
        "is_embedding": bool(args.get("is_embedding")),
        "context_len": int(args.get("context_length") or 0) or longest,
        "max_req_input_len": longest,
        "vocab_size": 0,
        "eos_ids": [],
        "block_size": page * int(args.get("dcp_size") or 1),
        "page_size": page,
        "dp_size": dp,
        "tp_size": int(args.get("tp_size") or 1),
        "max_running_requests": int(args.get("max_running_requests") or 0) * dp,
        "max_total_tokens": tokens * dp,
        "disaggregation_mode": args.get("disaggregation_mode"),
        "enable_metrics": bool(args.get("enable_metrics")),
        "load_secs": load_secs,
        "kv_events": kv_endpoints(args, nodes.local_ranks(args, dp)),
        "schedulers": failure.noted_pids("scheduler"),
        "node_rank": int(args.get("node_rank") or 0),
    }


def kv_endpoints(args: dict, ranks: list[int]) -> list[dict]:
    """Where the ranks of this node publish KV events (port + rank), as addresses to connect to."""
    try:
        config = json.loads(args.get("kv_events_config") or "{}")
    except ValueError:
        return []
    if config.get("publisher") != "zmq":
        return []
    endpoint, replay = config.get("endpoint", "tcp://*:5557"), config.get("replay_endpoint")
    return [
        {"rank": rank, "endpoint": shifted(endpoint, rank), "replay": shifted(replay, rank), "topic": config.get("topic", "")}
        for rank in ranks
    ]


def shifted(endpoint, rank: int):
    """SGLang's rule: rank r publishes on port + r; a wildcard bind is reached on the loopback."""
    if not endpoint:
        return None
    if not endpoint.startswith("tcp://"):
        return endpoint
    host, _, port = endpoint.rpartition(":")
    for wildcard in ("*", "0.0.0.0", "[::]"):
        host = host.replace(f"tcp://{wildcard}", "tcp://127.0.0.1")
    return f"{host}:{int(port) + rank}"
