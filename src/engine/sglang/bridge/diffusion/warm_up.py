"""Before READY: one step of a small picture, so that no request pays for what SGLang prepares or compiles at its first."""

import sys

_PIXELS = 256


def run(generator, ready: dict):
    """A failure is told on stderr and means nothing else: the first request will say more. Models that need an image to start from are left cold."""
    if ready["needs_images"]:
        return
    params = {
        "prompt": "warm-up",
        "width": _PIXELS,
        "height": _PIXELS,
        "num_inference_steps": 1,
        "seed": 0,
        "save_output": False,
        "return_frames": True,
        "suppress_logs": True,
    }
    if ready["makes"] == "video":
        params["num_frames"] = ready["frame_multiple"] + 1
    for _ in range(ready["replicas"]):  # SGLang takes them in turn
        try:
            generator.generate(sampling_params_kwargs=params)
        except Exception as error:
            print(f"dynamo-sglang: warm-up failed: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            return
