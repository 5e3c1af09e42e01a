"""Checks of clips in the bridge with SGLang's own Qwen-VL processor, without an engine: `python clips.py BRIDGE_FOLDER`. Run by clips.test.ts."""

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import torch
from sglang.srt.managers.schedule_batch import Modality, MultimodalDataItem
from sglang.srt.multimodal.processors.qwen_vl import QwenVLImageProcessor

IMAGE, VIDEO, START, END = 1, 2, 3, 4


def bridge(folder: str):
    """The package, wherever it lies, under the name that it has in an engine."""
    spec = importlib.util.spec_from_file_location("dsgl_bridge", Path(folder) / "__init__.py", submodule_search_locations=[folder])
    sys.modules["dsgl_bridge"] = importlib.util.module_from_spec(spec)
    from dsgl_bridge.requests import clips, pictures, rows

    return clips, pictures, rows


def reader(model_type: str):
    """SGLang's processor as far as it reads prompts; every letter is a token."""
    made = SimpleNamespace(
        IM_TOKEN_ID=IMAGE,
        VIDEO_TOKEN_ID=VIDEO,
        IM_START_TOKEN_ID=START,
        IM_END_TOKEN_ID=END,
        vision_start_token_id=START,
        vision_end_token_id=END,
        spatial_merge_size=2,
        _spatial_merge_size=2,
        _tokens_per_second=2,
        audio_token_id=None,
        audio_start_token_id=None,
        model_type=model_type,
        hf_config=SimpleNamespace(),
        mm_tokens=SimpleNamespace(image_token_id=IMAGE, video_token_id=VIDEO, audio_token_id=None),
        _processor=SimpleNamespace(
            tokenizer=SimpleNamespace(encode=lambda text, add_special_tokens=False: [1000 + ord(letter) for letter in text]),
            video_processor=SimpleNamespace(temporal_patch_size=2),
        ),
    )
    for name in ("build_input_ids", "build_input_ids_with_timestamps", "get_mm_data"):
        setattr(made, name, getattr(QwenVLImageProcessor, name).__get__(made))
    return made


def request(pictures, seconds):
    """A prompt with a clip, an image and a longer clip, expanded as the front end does it, and its entries of GEN's `media`."""
    ids, media = [70], []
    for number, (kind, grid) in enumerate([("video", (2, 4, 4)), ("image", (1, 4, 8)), ("video", (3, 2, 6))]):
        single = VIDEO if kind == "video" else IMAGE
        places = grid[0] * grid[1] * grid[2] // 4
        times = [0.5 + 2 * group for group in range(grid[0])] if seconds and kind == "video" else None
        group = [single] * (places // grid[0])
        run = [single] * places
        if times is not None:
            run = [token for time in times for token in [*(1000 + ord(letter) for letter in f"<{time:.1f} seconds>"), START, *group, END]]
        ids += [START]
        rows = torch.arange(places * 8, dtype=torch.float32).reshape(places, 8) + 1000 * number
        clip = [[], 10, 5.0, list(range(2 * grid[0])), times] if kind == "video" else None
        entry = [kind, None, f"{number + 1:064x}", len(ids), len(run), single, single, list(grid), ["float32", places, 8, rows.numpy().tobytes()], clip]
        media.append(entry)
        ids += [*run, END, 80 + number]
    return ids, [pictures.Picture(entry) for entry in media]


def check_rows(modules, model_type, seconds, places_only):
    clips, pictures, rows = modules
    ids, mine = request(pictures, seconds)
    for picture in mine:
        picture.places = sum(end - start + 1 for start, end in pictures.runs(ids, [picture]))
    made = rows.inputs(reader(model_type), pictures.collapsed(ids, mine), mine, places_only)
    assert made.input_ids == ids, "SGLang expands the prompt as the front end does"
    assert [item.modality for item in made.mm_items] == [Modality.VIDEO, Modality.IMAGE, Modality.VIDEO]
    for number, (item, picture) in enumerate(zip(made.mm_items, mine)):
        assert [tuple(run) for run in item.offsets] == pictures.runs(ids, [picture])
        assert clips.owners(item, mine) == [picture]
        if places_only:
            assert item.precomputed_embeddings is None
        else:
            assert item.precomputed_embeddings.shape == (picture.places, 8) and int(item.precomputed_embeddings[0, 0]) == 1000 * number
    pictures.fit(made, ids, mine)
    return made.mrope_positions


def check_refusals(modules):
    _, pictures, rows = modules
    for change, words in (
        (lambda picture: setattr(picture, "grid", [2, 4, 8]), "clip|rows|grid|placeholders"),
        (lambda picture: setattr(picture, "clip", None), "without its times"),
        (lambda picture: picture.rows.__setitem__(1, 3), "placeholders came with 3 rows"),
    ):
        ids, mine = request(pictures, True)
        for picture in mine:
            picture.places = sum(end - start + 1 for start, end in pictures.runs(ids, [picture]))
        change(mine[0])
        try:
            rows.inputs(reader("qwen3_vl"), pictures.collapsed(ids, mine), mine, False)
        except (ValueError, IndexError) as error:
            assert isinstance(error, ValueError) and any(word in str(error) for word in words.split("|")), repr(error)
            continue
        raise AssertionError(f"was taken, where '{words}' was expected")


def check_apart(modules):
    """Two clips in one item, as SGLang makes it of Qwen2.5-VL's."""
    clips, pictures, _ = modules
    ids, mine = request(pictures, False)
    both = [mine[0], mine[2]]
    item = MultimodalDataItem(modality=Modality.VIDEO, feature=torch.arange(32 + 36).reshape(-1, 1), offsets=pictures.runs(ids, both))
    item.model_specific_data = {"video_grid_thw": torch.tensor([[2, 4, 4], [3, 2, 6]]), "second_per_grid_ts": torch.tensor([1.0, 2.0]), "other": "x"}
    first, second = clips.apart(item, mine)
    assert [len(first.feature), len(second.feature), int(second.feature[0])] == [32, 36, 32]
    assert second.offsets == pictures.runs(ids, [mine[2]]) and second.model_specific_data["video_grid_thw"].tolist() == [[3, 2, 6]]
    assert first.model_specific_data["second_per_grid_ts"].tolist() == [1.0] and first.model_specific_data["other"] == "x"
    item.feature = item.feature[:60]
    assert clips.apart(item, mine) == [item], "what does not add up stays as it is"


def check_decoded(modules):
    import io

    from PIL import Image

    clips, _, _ = modules
    frames = []
    for shade in (10, 200):
        file = io.BytesIO()
        Image.new("RGB", (6, 4), (shade, 0, 0)).save(file, "PNG")
        frames.append(file.getvalue())
    tensor, facts = clips.decoded(clips.Clip(frames, 9, 3.0, [0, 8], None))
    assert tensor.shape == (2, 3, 4, 6) and tensor.dtype == torch.uint8 and tensor[:, 0, 0, 0].tolist() == [10, 200]
    assert facts["frames_indices"].tolist() == [0, 8] and facts["duration"] == 3 and facts["total_num_frames"] == 9
    assert clips.install() and clips.install()


if __name__ == "__main__":
    modules = bridge(sys.argv[1])
    for model_type, seconds in (("qwen3_vl", True), ("qwen2_5_vl", False)):
        with_rows, without = (check_rows(modules, model_type, seconds, places_only) for places_only in (False, True))
        assert torch.equal(with_rows, without), "a decode leg counts positions as the prefill leg does"
    check_refusals(modules)
    check_apart(modules)
    check_decoded(modules)
    print("ok")
