"""What the picture would be if the model stopped now: predicted clean latents (x0) of one latent frame, unpacked to [16, height, width]."""

_CHANNELS = 16


def latents(ctx, index: int, before, batch, server_args):
    """`(family, channels, height, width, float16 bytes)`; None for models whose latents nobody can colour."""
    config = server_args.pipeline_config
    family = family_of(config)
    if family is None:
        return None
    clean = ctx.latents.float()
    sigmas = ctx.scheduler.sigmas
    now, then = float(sigmas[index + 1]), float(sigmas[index])
    if then != now:
        # Flow matching: the model predicts v = dx/dsigma, and the step went along it (exactly with Euler, nearly with multistep solvers).
        clean = clean - now * (clean - before.float()) / (now - then)
    if getattr(batch, "did_sp_shard_latents", False):
        clean = config.gather_latents_for_sp(clean, batch=batch)  # sequence parallel: each rank has a part
    frame = _UNPACK[family](clean, batch)
    if frame is None:
        return None
    _, height, width = frame.shape
    return family, _CHANNELS, height, width, frame.half().cpu().contiguous().numpy().tobytes()


def family_of(config) -> str | None:
    """`flux` or `wan21` by the pipeline's configuration class and its number of latent channels."""
    names = [cls.__name__ for cls in type(config).__mro__]
    if any(name.startswith("Flux2") for name in names):
        return None
    if "FluxPipelineConfig" in names:
        return "flux"
    if any(name.startswith("Wan") for name in names):
        return "wan21"
    return None


def _flux(packed, batch):
    """[1, tokens, 64] → [16, height, width]: each token holds 2x2 latent pixels."""
    rows, columns = int(batch.height) // 16, int(batch.width) // 16
    if packed.dim() != 3 or packed.shape[1] < rows * columns or packed.shape[2] != _CHANNELS * 4:
        return None
    grid = packed[0, : rows * columns].reshape(rows, columns, _CHANNELS, 2, 2)
    return grid.permute(2, 0, 3, 1, 4).reshape(_CHANNELS, rows * 2, columns * 2)


def _wan(clip, _batch):
    """[1, 16, frames, height, width] → the middle frame."""
    if clip.dim() != 5 or clip.shape[1] != _CHANNELS:
        return None
    return clip[0, :, clip.shape[2] // 2]


_UNPACK = {"flux": _flux, "wan21": _wan}
