"""Whether the engine takes pictures, clips and sounds, and how it names KV blocks that contain one."""

from .. import compat
from ..requests import clips

_BATCH = "sglang.srt.managers.schedule_batch"


def sight(manager, args: dict) -> dict | None:
    """READY's `sight`: None without a processor for pictures. `pad`: `wide`, `single` (src/lib/media-pads.ts), or None where a hash of ours does not decide
    the names: language servers take embeddings and name them by their bytes."""
    processor = getattr(manager, "mm_processor", None)
    if processor is None:
        return None
    hears = getattr(getattr(processor, "mm_tokens", None), "audio_token_id", None) is not None
    return {"pad": None if args.get("language_only") else scheme(), "clips": clips.install(), "sounds": hears}


def scheme() -> str | None:
    if compat.load(_BATCH, "_compute_pad_values") is not None:
        return "wide"
    return "single" if compat.load(_BATCH, "_compute_pad_value") is not None else None
