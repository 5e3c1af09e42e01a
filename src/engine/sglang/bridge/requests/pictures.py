"""Pictures (and clips, and sounds) of a request: files, which SGLang's own processor of the model makes ready for its tower; clips (clips.py); or the rows that a tower elsewhere made
of them (rows.py). Our token ids stay as they are, so that an answer continued elsewhere and one that began here see the same prompt."""

import itertools

import numpy

from .. import compat
from . import clips, rows, sounds


_OURS = "dsgl_pictures"


def ask(manager, request_class, values: dict, media: list):
    """SGLang's own GenerateReqInput (level L2) of `values` and `media`; `values` has our ids."""
    pictures = [Picture(entry) for entry in media]
    if any(picture.rows is not None for picture in pictures):
        raise ValueError("this SGLang takes files of pictures only: --bridge-level L2 has no way in for a tower elsewhere")
    ids = values["input_ids"]
    prompt = prompt_for(manager.mm_processor, manager.tokenizer, collapsed(ids, pictures), pictures)
    own = {"input_ids" if isinstance(prompt, list) else "text": prompt, **data_of(pictures)}
    request = request_class(**{name: value for name, value in values.items() if name != "input_ids"}, **own)
    setattr(request, _OURS, (ids, pictures))
    return request


def keep_ours(manager):
    """Lets what SGLang's processor makes of such a request have our ids, items and names, as on the other levels."""
    processor = getattr(manager, "mm_processor", None)
    theirs = getattr(processor, "process_mm_data_async", None)
    if theirs is None:
        return

    async def process_mm_data_async(*args, **kwargs):
        made = await theirs(*args, **kwargs)
        ours = getattr(kwargs.get("request_obj"), _OURS, None)
        return made if ours is None or made is None else settled(made, *ours)

    processor.process_mm_data_async = process_mm_data_async


def data_of(pictures: list) -> dict:
    """`image_data`, `video_data` and `audio_data` as SGLang's requests have them; None where there is none of the kind."""
    if any(picture.kind == "video" and picture.clip is None for picture in pictures):
        raise ValueError("a clip came without its frames")
    files = [bytes(picture.file) for picture in pictures if picture.kind == "image"]
    taken = [clips.Picked(picture.clip) for picture in pictures if picture.kind == "video"]
    if taken and not clips.install():
        raise ValueError("this SGLang takes no clips in the form of their frames; use a newer release")
    return {"image_data": files or None, "video_data": taken or None, "audio_data": [bytes(one.file) for one in pictures if one.kind == "audio"] or None}


def check_seen(found, wanted: int):
    """SGLang's public stream drops pictures that it does not understand, without a word."""
    if found is not None and found != wanted:
        raise ValueError(f"SGLang read {found} prompt tokens where the pictures make {wanted}: it did not see them as the chat template marks them")


def ready_to_send(request):
    """Large tensors go through shared memory where SGLang does so between its own processes."""
    wrap = compat.load("sglang.srt.managers.mm_utils", "wrap_shm_features")
    return request if wrap is None else wrap(request)


class Picture:
    """One entry of GEN's `media`."""

    def __init__(self, entry):
        fields = (*entry, None, None, None)[:10]
        self.kind, self.file, self.hash, self.offset, self.tokens, self.placeholder, self.single, self.grid, self.rows, clip = fields
        self.clip = None if clip is None else clips.Clip(*clip)


class Pictures:
    """Turns GEN's `media` into `mm_inputs`."""

    def __init__(self, manager, io_struct):
        self._manager = manager
        self._request = io_struct.GenerateReqInput
        # A decode engine gets the prompt's KV; of a picture it needs to know where it lies, and nothing of what is in it.
        self._places_only = getattr(manager.server_args, "disaggregation_mode", None) == "decode"

    async def inputs(self, rid: str, ids, media: list):
        """SGLang's inputs for `media`, entries as WIRE.md has them, in the order of their places in `ids` (u32 LE).
        ValueError says why SGLang does not take them."""
        processor = getattr(self._manager, "mm_processor", None)
        if processor is None:
            raise ValueError("this engine takes no pictures: its model has no vision tower, or --enable-multimodal is missing")
        if self._places_only and (not rows.takes_rows(processor) or all(entry[0] == "audio" for entry in media)):
            # Positions count on through a sound, and through a picture in the families without SGLang's split, so the ids say it all.
            return None
        ids, pictures = numpy.frombuffer(ids, "<u4").tolist(), [Picture(entry) for entry in media]
        if self._places_only or pictures[0].rows is not None:
            for picture in pictures:
                picture.places = sum(end - start + 1 for start, end in runs(ids, [picture]))
            made = rows.inputs(processor, collapsed(ids, pictures), pictures, self._places_only)
        else:
            made = await self._processed(processor, rid, collapsed(ids, pictures), pictures)
        return settled(made, ids, pictures)

    async def _processed(self, processor, rid, ids, pictures):
        data = data_of(pictures)
        asked = self._request(input_ids=ids, **data, sampling_params={}, rid=rid)
        try:
            made = await processor.process_mm_data_async(
                image_data=data["image_data"],
                audio_data=data["audio_data"],
                input_text=prompt_for(processor, self._manager.tokenizer, ids, pictures),
                request_obj=asked,
                max_req_input_len=getattr(self._manager, "max_req_input_len", None),
            )
        except (RuntimeError, OSError, TypeError) as error:  # what decoders and processors raise
            raise ValueError(f"the model's processor refused a picture: {error}") from error
        if made is None or not made.mm_items:
            raise ValueError("the model's processor made nothing of the pictures: its prompt marks them in another way than this request's")
        return made


def settled(made, ids: list, pictures: list):
    """What a processor made, with our ids, and an item for each picture, named by the hash that the router knows."""
    fit(made, ids, pictures)
    made.mm_items = [one for item in made.mm_items for one in clips.apart(item, pictures)]
    for item in made.mm_items:
        owners = clips.owners(item, pictures)
        if len(owners) == 1:
            name(item, int(owners[0].hash[:16], 16))
    sounds.own_lengths(made.mm_items)
    # Of a Qwen3-VL prompt, made of SGLang's own names (qwen_vl.py, compose_image_artifacts): its scheduler dies of a prompt that has no place for a picture.
    made.padded_input_ids = None
    return made


def collapsed(ids: list, pictures: list) -> list:
    """The prompt as processors want it: one placeholder a picture."""
    out, at = [], 0
    for picture in pictures:
        out += ids[at : picture.offset]
        out.append(picture.single)
        at = picture.offset + picture.tokens
    return out + ids[at:]


def prompt_for(processor, tokenizer, ids: list, pictures: list):
    """The prompt (`ids`, one placeholder a picture) in the form in which the model's processor wants it: most take ids, some only text. InternVL's refuses ids
    beside files (multimodal/processors/internvl.py); that of transformers' own models hands them to one that reads text (processors/transformers_auto.py)."""
    mark = getattr(processor, "IMAGE_PLACEHOLDER_TOKEN", None)
    if mark is None and not hasattr(processor, "_apply_hf_processor"):
        return ids
    if tokenizer is None:
        raise ValueError("this model's processor reads pictures out of text alone, and this engine has no tokenizer: start it without --skip-tokenizer-init")
    if mark is None:
        return text_of(tokenizer, ids)
    singles, parts = {picture.single for picture in pictures}, [[]]
    for token in ids:
        if token in singles:
            parts.append([])
        else:
            parts[-1].append(token)
    return mark.join(text_of(tokenizer, part) for part in parts)


def text_of(tokenizer, ids: list) -> str:
    return tokenizer.decode(ids, skip_special_tokens=False) if ids else ""


def fit(made, ids: list, pictures: list):
    """Puts our ids in the place of those that the processor made (it writes the prompt as text and reads it again, which need not give the same ids), with
    the pictures where ours lie. ValueError when both do not have the same rows."""
    theirs = list(made.input_ids) if not hasattr(made.input_ids, "flatten") else made.input_ids.flatten().tolist()
    if theirs == ids:
        return
    # Their items are in order of kinds, ours in order of places.
    wanted, have = runs(ids, pictures), sorted(tuple(run) for item in made.mm_items for run in item.offsets)
    if [end - start for start, end in wanted] != [end - start for start, end in have]:
        raise ValueError(
            f"SGLang counts {[end - start + 1 for start, end in have]} rows for the pictures where the prompt has {[end - start + 1 for start, end in wanted]}; "
            "does --mm-process-config or the model's preprocessor_config.json differ between front end and engine?"
        )
    if getattr(made, "mrope_positions", None) is not None:
        made.mrope_positions, made.mrope_position_delta = positions(made.mrope_positions, have, wanted, len(ids))
    if getattr(made, "token_type_ids", None) is not None:
        raise ValueError("this model marks its tokens by kind, and SGLang read the prompt differently: it cannot be continued here")
    moved = dict(zip(have, wanted))
    for item in made.mm_items:
        item.offsets = [moved[tuple(run)] for run in item.offsets]
    made.input_ids = ids


def runs(ids: list, pictures: list) -> list:
    """(first, last) of each unbroken run of placeholders."""
    found = []
    for picture in pictures:
        at = picture.offset
        inside = ids[at : at + picture.tokens]
        for same, run in itertools.groupby(inside, lambda token, placeholder=picture.placeholder: token == placeholder):
            size = sum(1 for _ in run)
            if same:
                found.append((at, at + size - 1))
            at += size
    return found


def positions(theirs, have: list, wanted: list, length: int):
    """M-RoPE's positions [3, length] and their delta [1, 1]: within a picture as theirs, in the text counting on (Qwen2-VL, arXiv 2409.12191, section 2.1)."""
    import torch

    ours = torch.empty((3, length), dtype=theirs.dtype)
    at = here = there = following = 0

    def text(until: int):
        nonlocal at, here
        count = torch.arange(here, here + until - at, dtype=theirs.dtype)
        ours[:, at:until] = count
        here += until - at
        at = until

    for (start, end), (first, last) in zip(have, wanted):
        text(first)
        there += start - following
        inside = theirs[:, start : end + 1]
        ours[:, first : last + 1] = inside - there + here
        here = int(ours[:, first : last + 1].max()) + 1
        there = int(inside.max()) + 1
        at, following = last + 1, end + 1
    text(length)
    return ours, torch.tensor([[here - length]], dtype=theirs.dtype)


def name(item, value: int):
    """Lets KV blocks be named by the hash that the router knows."""
    set_hash = getattr(item, "set_hash", None)
    if set_hash is not None:
        set_hash(value)
    else:
        item.hash = value
