"""READY: what the running engine makes, and what an open field of a request means for it."""

import dataclasses

from .. import compat

_DEFAULT_PIXELS = 1024
_DEFAULT_STEPS = 50


def ready(args, generator, pipeline: str | None, hooks: list[str], load_secs: float) -> dict:
    """The READY map, from SGLang's configuration of this model (by name: what a release lacks gets the usual value)."""
    config = args.pipeline_config
    task = config.task_type
    video = makes(args) == "video"
    return {
        "sglang": compat.version(),
        "model_path": args.model_path,
        "makes": makes(args),
        "pipeline": pipeline or type(config).__name__,
        "defaults": defaults(args, video),
        "replicas": int(getattr(args, "dp_size", 1) or 1),
        "takes_images": bool(_asked(task, "accepts_image_input")),
        "needs_images": bool(_asked(task, "requires_image_input")),
        "size_multiple": size_multiple(config),
        "frame_multiple": frame_multiple(config) if video else 1,
        "workers": [process.pid for process in generator.local_scheduler_process or []],
        "hooks": hooks,
        "load_secs": load_secs,
    }


def makes(args) -> str:
    """`image`, `video`, or SGLang's name of another task."""
    task = args.pipeline_config.task_type
    return "video" if _asked(task, "is_video_gen") else "image" if _asked(task, "is_image_gen") else task.name


def unfit(args, pipeline: str | None, kind: str, wanted: str) -> str:
    """The words for a model that makes something else than what it is started for."""
    flags = {"image": "Start it with --image-diffusion-worker.", "video": "Start it with --video-generation-worker."}
    return f"{args.model_path} ({pipeline or type(args.pipeline_config).__name__}) is a model for {kind}, not for {wanted}. {flags.get(kind, '')}".strip()


def defaults(args, video: bool) -> dict:
    """Of SGLang's sampling parameters for this model."""
    from sglang.multimodal_gen.configs.sample.sampling_params import SamplingParams

    params = SamplingParams.from_pretrained(args.model_path, backend=args.backend, model_id=args.model_id)
    width, height = params.width, params.height
    sizes = getattr(params, "supported_resolutions", None)
    if not width or not height:
        width, height = sizes[0] if sizes else (_DEFAULT_PIXELS, _DEFAULT_PIXELS)
    found = {
        "width": width,
        "height": height,
        "steps": params.num_inference_steps or _DEFAULT_STEPS,
        "guidance": float(params.guidance_scale if params.guidance_scale is not None else 1),
        "frames": params.num_frames if video else 1,
        "fps": params.fps or 24,
    }
    return found | ({"negativePrompt": params.negative_prompt} if params.negative_prompt else {})


def size_multiple(config) -> int:
    """A latent pixel is so many pixels wide, and the models pack two by two of them. Some configurations leave one of the names at 1."""
    return 2 * max(_arch(config, "spatial_compression_ratio", "vae_scale_factor", "scale_factor_spatial"), default=8)


def frame_multiple(config) -> int:
    return max(_arch(config, "temporal_compression_ratio", "scale_factor_temporal"), default=4)


def _arch(config, *names: str) -> list[int]:
    """What the decoder's configuration says under any of the names."""
    arch = getattr(getattr(config, "vae_config", None), "arch_config", None)
    values = (getattr(arch, name, None) for name in names)
    return [int(value) for value in values if isinstance(value, (int, float)) and value >= 1]


def _asked(task, question: str) -> bool:
    return getattr(task, question, lambda: False)()


def parameter_names() -> set[str]:
    """Every sampling parameter that some model of this release has in common."""
    from sglang.multimodal_gen.configs.sample.sampling_params import SamplingParams

    return {field.name for field in dataclasses.fields(SamplingParams)}
