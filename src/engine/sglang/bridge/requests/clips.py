"""Clips of a request: frames that the front end has picked, decoded and resized as SGLang does it (multimodal/processors/qwen_vl.py, preprocess_video). They go
into SGLang's processor where its own would be, so that nothing is picked twice."""

import asyncio
import copy
import io

from .. import compat

_QWEN = "sglang.srt.multimodal.processors.qwen_vl"


class Clip:
    """`frames`: PNG files; `positions`: which of the clip's `total` frames they are; `seconds`: the times in the prompt, or None."""

    def __init__(self, frames, total, fps, positions, seconds):
        self.frames, self.total, self.fps, self.positions, self.seconds = frames, total, fps, positions, seconds


class Picked(list):
    """In place of a file: SGLang's loader hands lists on as they are, and an empty one counts as nothing."""

    def __init__(self, clip: Clip):
        super().__init__(["clip"])
        self.clip = clip


def install() -> bool:
    """Lets SGLang's processor take Picked; False when this release has no way for it. May be called often."""
    module, load = compat.load(_QWEN), compat.load("sglang.srt.utils.common", "load_video")
    theirs = getattr(module, "preprocess_video", None)
    if theirs is None or load is None or not passes(load):
        return False
    if not hasattr(theirs, "picked"):

        async def preprocess_video(video, *args, **kwargs):
            if isinstance(video, Picked):
                return await asyncio.get_running_loop().run_in_executor(None, decoded, video.clip)
            return await theirs(video, *args, **kwargs)

        preprocess_video.picked = True
        module.preprocess_video = preprocess_video
    return True


def passes(load) -> bool:
    try:
        return load([]) == []
    except Exception:  # an older one refuses everything but files
        return False


def decoded(clip: Clip):
    """What preprocess_video returns: [frames, 3, height, width] and the facts of the clip."""
    import numpy
    import torch
    from PIL import Image

    frames = numpy.stack([numpy.asarray(Image.open(io.BytesIO(frame)).convert("RGB")) for frame in clip.frames])
    facts = {
        "fps": clip.fps,
        "duration": clip.total / clip.fps,
        "total_num_frames": clip.total,
        "frames_indices": numpy.array(clip.positions, dtype=numpy.int64),
        "video_backend": "torchvision",
    }
    return torch.from_numpy(frames).permute(0, 3, 1, 2), facts


def owners(item, pictures: list) -> list:
    """The pictures that an item's places belong to, in their order."""
    starts = [start for start, _ in item.offsets]
    return [picture for picture in pictures if any(picture.offset <= start < picture.offset + picture.tokens for start in starts)]


def apart(item, pictures: list) -> list:
    """SGLang puts several clips of a Qwen2.5-VL request into one item, and all pictures of transformers' own models; each alone has a name of its own."""
    import torch

    mine = owners(item, pictures)
    if len(mine) < 2 or not isinstance(item.feature, torch.Tensor):
        return [item]
    if item.is_video():
        grids = item.model_specific_data.get("video_grid_thw")
        counts = [] if grids is None else torch.as_tensor(grids).prod(dim=-1).tolist()
    else:
        counts = [1] * len(item.feature)
    if len(counts) != len(mine):
        return [item]
    made, at = [], 0
    for index, (picture, patches) in enumerate(zip(mine, counts)):
        one = copy.copy(item)
        one.feature, at = item.feature[at : at + patches], at + patches
        one.offsets = [run for run in item.offsets if picture.offset <= run[0] < picture.offset + picture.tokens]
        one.model_specific_data = {key: sliced(value, index, len(mine)) for key, value in item.model_specific_data.items()}
        one.hash = one.pad_value = None
        made.append(one)
    return made if at == len(item.feature) else [item]


def sliced(value, index: int, count: int):
    """What belongs to one of `count` clips, of facts that have an entry for each."""
    return value[index : index + 1] if hasattr(value, "__len__") and not isinstance(value, str) and len(value) == count else value


def group_seconds(processor) -> float:
    """How long a group of frames lasts to SGLang's own processor of Qwen2.5-VL: it tells transformers no rate, which then has one of its own (24 in 5.19)."""
    metadata, video = compat.load("transformers.video_utils", "VideoMetadata"), getattr(processor._processor, "video_processor", None)
    rate = None if metadata is None else getattr(metadata(total_num_frames=1), "sampled_fps", None)
    return getattr(video, "temporal_patch_size", 2) / (rate or 2.0)
