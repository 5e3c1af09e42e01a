"""What SGLang's own Python API makes of requests: `direct.py MODEL < requests.json`, in a process without anything of ours. The last line is a list of
the SHA-256 of each output's frames, for each request."""

import hashlib
import json
import random
import socket
import sys


def free_port() -> int:
    """Of three that are 100 apart; by chance, because another of us may be looking too."""
    while True:
        port = random.randrange(20_000, 31_000)
        if not any(taken(port + more) for more in (0, 100, 200)):
            return port


def taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def main():
    from sglang.multimodal_gen import DiffGenerator

    port = free_port()
    generator = DiffGenerator.from_pretrained(
        model_path=sys.argv[1], num_gpus=1, attention_backend="torch_sdpa", scheduler_port=port, master_port=port + 100, port=port + 200
    )
    answers = []
    for asked in json.load(sys.stdin):
        params = {
            "prompt": asked["prompt"],
            "width": asked["width"],
            "height": asked["height"],
            "num_inference_steps": asked["steps"],
            "guidance_scale": asked["guidance"],
            "seed": asked["seed"],
            "num_outputs_per_prompt": asked["outputs"],
            "save_output": False,
            "return_frames": True,
        }
        if asked["frames"] > 1:
            params |= {"num_frames": asked["frames"], "fps": asked["fps"]}
        if "negativePrompt" in asked:
            params["negative_prompt"] = asked["negativePrompt"]
        results = generator.generate(sampling_params_kwargs=params)
        results = results if isinstance(results, list) else [results]
        answers.append([hashlib.sha256(b"".join(frame.tobytes() for frame in result.frames)).hexdigest() for result in results])
    generator.shutdown()
    print("\n" + json.dumps(answers), flush=True)


if __name__ == "__main__":
    main()
