"""Continuing an answer under penalties: SGLang counts what a request produced, and ids of an earlier attempt came with the prompt; they are counted too."""

import logging

from .grammar import PARAM

# Class → its counts, its strength, and whether each occurrence adds to the count.
_KINDS = {
    "BatchedFrequencyPenalizer": ("cumulated_frequency_penalties", "frequency_penalties", True),
    "BatchedPresencePenalizer": ("cumulated_presence_penalties", "presence_penalties", False),
    "BatchedRepetitionPenalizer": ("cumulated_repetition_penalties", "repetition_penalties", False),
}
_NEUTRAL = {"frequency_penalty": 0.0, "presence_penalty": 0.0, "repetition_penalty": 1.0}
logger = logging.getLogger(__name__)


def _base():
    """SGLang's base class, with the methods that are used here."""
    from sglang.srt.sampling.penaltylib.orchestrator import _BatchedPenalizer as base

    return base if callable(getattr(base, "prepare", None)) and hasattr(base, "orchestrator") else None


def available() -> bool:
    """Whether this SGLang's penalties can be continued."""
    try:
        return _base() is not None
    except ImportError:
        return False


def wanted(sampling: dict) -> bool:
    """Whether a request has penalties at all."""
    return any(sampling.get(name) not in (None, idle) for name, idle in _NEUTRAL.items())


def install():
    """Wraps the place where penalties of a new batch are set up."""
    if not available():
        logger.warning("dynamo-sglang: this SGLang cannot continue an answer under penalties")
        return
    base = _base()
    stock = base.prepare

    def prepare(self):
        fresh = not self._is_prepared
        stock(self)
        if fresh:
            feed(self)

    base.prepare = prepare


def feed(penalizer):
    """Counts the earlier ids of the batch's continued requests, as far as SGLang would have by now: with overlapped scheduling it is one
    token behind and began with the prompt's last (ScheduleBatch.cumulate_penalty_output_tokens)."""
    names = _KINDS.get(type(penalizer).__name__)
    if names is None:
        return
    import torch

    counts, strength = getattr(penalizer, names[0]), getattr(penalizer, names[1])
    behind = 1 if getattr(penalizer.orchestrator.batch, "enable_overlap", False) else 0
    for row, req in enumerate(penalizer.orchestrator.reqs()):
        params = req.sampling_params.custom_params
        earlier = params.get(PARAM) if isinstance(params, dict) else None
        if not earlier:
            continue
        end = len(req.origin_input_ids) - behind
        ids = torch.tensor(list(req.origin_input_ids)[max(0, end - earlier) : end], dtype=torch.int64, device=counts.device)
        values = strength[row].expand(len(ids))
        if names[2]:
            counts[row].scatter_add_(0, ids, values)
        else:
            counts[row].scatter_(0, ids, values)
