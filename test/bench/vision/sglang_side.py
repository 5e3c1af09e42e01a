"""The other rival of the vision bench: SGLang's own multimodal processor on the CPU, as its tokenizer process calls it for a picture that its cache lacks (`prepare_artifact_batch` of
srt/multimodal/processors/qwen_vl.py, SGLang 0.5.23; the prompt is left out). Its kernel for processors with AMX stands in for the transformers' steps where there is one. The
arguments are folders of a Qwen2.5-VL and a Qwen3-VL; questions and answers are those of transformers_side.py, and the first line says what was found."""

import json
import logging
import os
import sys
import time

os.environ.setdefault("SGLANG_USE_CPU_ENGINE", "1")

import numpy as np
import torch
import transformers
from PIL import Image
from sglang.srt.managers.tokenizer_manager import get_processor_wrapper
from sglang.srt.multimodal.media_artifacts.base import MediaArtifactInput
from sglang.srt.multimodal.modality import Modality
from sglang.srt.multimodal.processors.qwen_vl import QwenVLImageProcessor
from sglang.srt.runtime_context import publish
from sglang.srt.server_args import ServerArgs
from sglang.srt.utils import cpu_has_amx_support
from sglang.version import __version__
from transformers import AutoConfig

logging.disable(logging.WARNING)
folders = {"qwen2vl": sys.argv[1], "qwen3vl": sys.argv[2]}
made = {}
# What a cache would know the picture by; it is hashed elsewhere.
name_of_content = "sha256:" + 64 * "0"


def processor_of(name: str, backend: str) -> QwenVLImageProcessor:
    """As the tokenizer process makes it; `tv_u8` is its choice when nobody chooses."""
    if (name, backend) not in made:
        choice = {"image_processor_backend": "pil"} if backend == "pil" else {}
        args = ServerArgs(model_path=folders[name], device="cpu", enable_multimodal=True, **choice)
        publish(args, role="tokenizer")
        made[name, backend] = QwenVLImageProcessor(AutoConfig.from_pretrained(folders[name]), args, get_processor_wrapper(), None)
    return made[name, backend]


print(json.dumps({"sglang": __version__, "amx": cpu_has_amx_support()}), flush=True)
for line in sys.stdin:
    width, height, name, backend, threads, rounds = line.split()
    processor = processor_of(name, backend)
    torch.set_num_threads(int(threads))
    noise = np.random.default_rng(1).integers(0, 256, (int(height), int(width), 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    wall, cpu = [], []
    for _ in range(int(rounds)):
        entry = MediaArtifactInput(content_digest=name_of_content, artifact_key=name_of_content, modality=Modality.IMAGE, media=picture)
        started, used = time.perf_counter(), time.process_time()
        artifacts = processor.prepare_artifact_batch([entry])
        wall.append(1000 * (time.perf_counter() - started))
        cpu.append(1000 * (time.process_time() - used))
        del artifacts
    print(json.dumps({"wall": wall, "cpu": cpu}), flush=True)
