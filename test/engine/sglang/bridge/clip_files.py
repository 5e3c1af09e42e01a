"""Compares what SGLang's own processor makes of files of clips (decoded by torchcodec, sampled by itself) with what the bridge makes of the frames that the front end
has picked: `python clip_files.py BRIDGE_FOLDER MODEL < REQUEST`, without an engine. Run by clips.test.ts."""

import asyncio
import base64
import json
import os
import sys
from types import SimpleNamespace

import numpy
import torch
from clips import bridge
from sglang.srt.configs.model_config import ModelConfig
from sglang.srt.managers import io_struct
from sglang.srt.managers.tokenizer_manager import determine_tensor_transport_mode, get_processor_wrapper
from sglang.srt.multimodal.processors.qwen_vl import QwenVLImageProcessor
from sglang.srt.runtime_context import publish
from sglang.srt.server_args import prepare_server_args

FLAGS = "--device cpu --attention-backend torch_native --enable-multimodal --mm-attention-backend sdpa --dtype float32 --context-length 2048"


def processor(model: str):
    args = prepare_server_args(["--model-path", model, *FLAGS.split()])
    publish(args, role="tokenizer")
    config = ModelConfig.from_server_args(args).hf_config
    return QwenVLImageProcessor(config, args, get_processor_wrapper(), determine_tensor_transport_mode())


def features(made) -> dict:
    kinds = {item.modality for item in made.mm_items}
    return {kind: torch.cat([item.feature for item in made.mm_items if item.modality == kind]) for kind in kinds}


async def compare(folder: str, model: str, asked: dict):
    _, pictures, rows = bridge(folder)
    ids, entries = asked["ids"], asked["media"]
    for entry in entries:
        entry[1] = base64.b64decode(entry[1])
        if entry[9] is not None:
            entry[9][0] = [base64.b64decode(frame) for frame in entry[9][0]]
    mine, reader = [pictures.Picture(entry) for entry in entries], processor(model)
    collapsed = pictures.collapsed(ids, mine)
    images, files = ([picture.file for picture in mine if picture.kind == kind] for kind in ("image", "video"))
    request = io_struct.GenerateReqInput(input_ids=collapsed, image_data=images or None, video_data=files, sampling_params={}, rid="r")
    theirs = await reader.process_mm_data_async(image_data=images or None, audio_data=None, input_text=collapsed, request_obj=request)
    manager = SimpleNamespace(mm_processor=reader, tokenizer=None, server_args=SimpleNamespace(disaggregation_mode="null"))
    ours = await pictures.Pictures(manager, io_struct).inputs("r", numpy.array(ids, "<u4").tobytes(), entries)
    assert list(theirs.input_ids) == ids == list(ours.input_ids), "the prompt is expanded as SGLang expands it"
    wanted, have = features(theirs), features(ours)
    assert wanted.keys() == have.keys() and all(torch.equal(wanted[kind], have[kind]) for kind in wanted), "the same patches, to the bit"
    assert torch.equal(theirs.mrope_positions, ours.mrope_positions)
    assert len(ours.mm_items) == len(mine)
    for picture in mine:
        picture.places = sum(end - start + 1 for start, end in pictures.runs(ids, [picture]))
        picture.rows = ["float32", picture.places, 8, bytes(picture.places * 32)]
    for places_only in (False, True):
        made = rows.inputs(reader, collapsed, mine, places_only)
        assert list(made.input_ids) == ids and torch.equal(theirs.mrope_positions, made.mrope_positions), "rows stand where pixels would"


if __name__ == "__main__":
    asyncio.run(compare(sys.argv[1], sys.argv[2], json.load(sys.stdin)))
    print("ok", flush=True)
    # Its pools of threads would be waited for.
    os._exit(0)
