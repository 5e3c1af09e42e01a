"""One model over several hosts (--nnodes): which part of it this node is."""

import os

from .. import compat, failure
from . import disagg

LEVEL = "L0"
"""Schedulers of a node that follows send their outputs SGLang's way, to the first node: a socket of this host's bridge would lead nowhere."""


def follows(argv: list[str]) -> bool:
    """Whether this node is not the first one. Its Engine then has no tokenizer manager, and must not wait for its schedulers' end inside its start."""
    rank = str(disagg.setting(argv, "--node-rank") or 0)
    if not rank.isdigit() or int(rank) == 0:
        return False
    os.environ["SGLANG_BLOCK_NONZERO_RANK_CHILDREN"] = "0"
    return True


def level(levels: list[str]) -> str:
    return LEVEL if LEVEL in levels else levels[-1]


def note_publisher():
    """In a scheduler: notes the rank that it publishes KV events of, when it does. With data-parallel attention each node has some of the ranks."""
    factory = compat.load("sglang.srt.disaggregation.kv_events", "EventPublisherFactory")
    if factory is None:
        return
    stock = factory.create

    def create(config, attn_dp_rank=0, *args, **kwargs):
        publisher = stock(config, attn_dp_rank, *args, **kwargs)
        failure.note_pid("publisher", str(attn_dp_rank))
        return publisher

    factory.create = create


def local_ranks(args: dict, dp: int) -> list[int]:
    """Ranks whose KV events are published on this node; all of them where the schedulers left no note."""
    noted = sorted({int(text) for text in failure.notes("publisher")})
    return noted if noted or int(args.get("nnodes") or 1) > 1 else list(range(dp))
