"""Pictures whose rows a tower elsewhere made: SGLang's inputs without its own tower. Its scheduler dies of a picture with one row too few, so counts are
compared here before anything is sent."""


def inputs(processor, ids: list, pictures: list, places_only: bool):
    """What `process_mm_data_async` would have made of the files, with rows in their place; `places_only`: with nothing, for a decode engine.
    `ids` has one placeholder a picture. ValueError when this model's processor has no way for it, or when counts differ."""
    import torch
    from sglang.srt.managers.schedule_batch import Modality

    build = getattr(processor, "get_mm_data", None)
    if build is None or not hasattr(processor, "build_input_ids"):
        raise ValueError("SGLang's processor of this model takes no rows from a tower elsewhere; serve it without --dedicated-mm-encoder")
    if any(picture.grid is None for picture in pictures):
        raise ValueError("a picture came without its grid")
    grids = torch.tensor([list(picture.grid) for picture in pictures], dtype=torch.long)
    tensors = [torch.empty((picture.tokens, 1)) if places_only else tensor(picture) for picture in pictures]
    made = build(ids, {Modality.IMAGE: torch.cat(tensors)}, img_grid_thw=grids)
    if len(made.mm_items) != len(pictures):
        raise ValueError(f"SGLang found {len(made.mm_items)} pictures in a prompt with {len(pictures)}")
    for item, picture in zip(made.mm_items, pictures):
        (start, end), *_ = item.offsets
        if end - start + 1 != picture.tokens:
            raise ValueError(f"a picture of {picture.tokens} rows has a grid of {end - start + 1} rows")
        if places_only:
            item.precomputed_embeddings = None
    return made


def tensor(picture):
    """The rows as [tokens, dim]."""
    import torch

    if picture.rows is None:
        raise ValueError("some pictures of the request have rows and others do not")
    kind, count, dim, data = picture.rows
    dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[kind]
    if count != picture.tokens or len(data) != count * dim * dtype.itemsize:
        raise ValueError(f"a picture of {picture.tokens} placeholders came with {count} rows of {dim} in {len(data)} bytes")
    return torch.frombuffer(bytearray(data), dtype=dtype).reshape(count, dim)
