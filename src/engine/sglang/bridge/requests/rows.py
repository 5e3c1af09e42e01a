"""Pictures whose rows a tower elsewhere made: SGLang's inputs without its own tower. Its scheduler dies of a picture with one row too few, so counts are
compared here before anything is sent."""

from . import clips


def takes_rows(processor) -> bool:
    """True for the families of SGLang's own split of vision and language, as far as pictures are prepared here (Qwen's): every processor inherits the way in, and only these
    have the ids that it reads. Their positions follow from the grid; the others' count on."""
    inherited = hasattr(processor, "get_mm_data") and hasattr(processor, "build_input_ids")
    return inherited and None not in (getattr(processor, "IM_TOKEN_ID", None), getattr(processor, "vision_start_token_id", None))


def inputs(processor, ids: list, pictures: list, places_only: bool):
    """What `process_mm_data_async` would have made of the files, with rows in their place; `places_only`: with nothing, for a decode engine.
    `ids` has one placeholder a picture. ValueError when this model's processor has no way for it, or when counts differ."""
    import torch
    from sglang.srt.managers.schedule_batch import Modality

    build = processor.get_mm_data if takes_rows(processor) else None
    if build is None:
        raise ValueError("SGLang's processor of this model takes no rows from a tower elsewhere; serve it without --dedicated-mm-encoder")
    if any(picture.grid is None for picture in pictures):
        raise ValueError("a picture came without its grid")
    embeddings, facts = {}, {}
    for kind, modality, grids in (("image", Modality.IMAGE, "img_grid_thw"), ("video", Modality.VIDEO, "video_grid_thw")):
        mine = [picture for picture in pictures if picture.kind == kind]
        if mine:
            embeddings[modality] = torch.cat([torch.empty((picture.places, 1)) if places_only else tensor(picture) for picture in mine])
            facts[grids] = torch.tensor([list(picture.grid) for picture in mine], dtype=torch.long)
            facts.update(times(processor, mine) if kind == "video" else {})
    made = build(ids, embeddings, **facts)
    made.mm_items = one_each(made.mm_items, pictures, places_only)
    return made


def times(processor, pictures: list) -> dict:
    """When the frames of clips are seen, as this model is told it."""
    import torch

    if any(picture.clip is None for picture in pictures):
        raise ValueError("a clip came without its times")
    if all(picture.clip.seconds for picture in pictures):
        return {"video_timestamps": [list(picture.clip.seconds) for picture in pictures]}
    return {"second_per_grid_ts": torch.tensor([clips.group_seconds(processor)] * len(pictures), dtype=torch.float32)}


def one_each(items: list, pictures: list, places_only: bool) -> list:
    """An item for each picture: SGLang makes one of each group of frames between which it writes times."""
    import torch

    made, left = [], list(items)
    for picture in pictures:
        count = picture.grid[0] if picture.clip is not None and picture.clip.seconds else 1
        mine, left = left[:count], left[count:]
        if len(mine) < count:
            raise ValueError(f"SGLang found {len(items)} pictures in a prompt with {len(pictures)}")
        item = mine[0]
        item.offsets = [run for one in mine for run in one.offsets]
        rows = sum(end - start + 1 for start, end in item.offsets)
        if rows != picture.places:
            raise ValueError(f"a picture of {picture.places} rows has a grid of {rows} rows")
        item.precomputed_embeddings = None if places_only else torch.cat([one.precomputed_embeddings for one in mine])
        made.append(item)
    if left:
        raise ValueError(f"SGLang found {len(items)} pictures in a prompt with {len(pictures)}")
    return made


def tensor(picture):
    """The rows as [places, dim]."""
    import torch

    if picture.rows is None:
        raise ValueError("some pictures of the request have rows and others do not")
    kind, count, dim, data = picture.rows
    dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[kind]
    if count != picture.places or len(data) != count * dim * dtype.itemsize:
        raise ValueError(f"a picture of {picture.places} placeholders came with {count} rows of {dim} in {len(data)} bytes")
    return torch.frombuffer(bytearray(data), dtype=dtype).reshape(count, dim)
