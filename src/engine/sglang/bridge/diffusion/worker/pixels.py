"""From samples to pixels, as SGLang does it."""


def is_changed(req) -> bool:
    """Whether SGLang will work on the frames after they are decoded."""
    return bool(getattr(req, "enable_frame_interpolation", False) or getattr(req, "enable_upscaling", False))


def is_sample(output) -> bool:
    """A colour picture or clip as a tensor [3, (frames,) height, width]."""
    return hasattr(output, "permute") and output.dim() in (3, 4) and output.shape[0] == 3


def as_frames(sample):
    """[3, (frames,) height, width] in 0..1 → [frames, height, width, 3] uint8, by SGLang's arithmetic (scaled, clamped, cut off)."""
    import torch

    if sample.dim() == 3:
        sample = sample.unsqueeze(1)
    return (sample * 255).clamp(0, 255).to(torch.uint8).permute(1, 2, 3, 0).contiguous()
