"""`python engine.py PORT <SGLang's own argv…>`: SGLang's DiffGenerator alone in this process, told over HTTP what to make and measured from inside.

POST /generate {sampling parameters} → {"ms": of generate() alone, "sha256": of the frames' bytes, "shape", "mean", "std", "error"}
POST /pixels <a PNG file> → {"sha256": of its rgb24 pixels}; GET /health"""

import hashlib
import io
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer


def generate(generator, asked: dict) -> dict:
    import numpy

    begun = time.time()
    result = generator.generate(sampling_params_kwargs=asked | {"save_output": False, "return_frames": True, "suppress_logs": True})
    ended = time.time()
    if result is None:
        return {"error": "SGLang gave nothing"}
    frames = numpy.ascontiguousarray(numpy.stack(result.frames))
    return {
        "begun": begun * 1000,
        "ms": (ended - begun) * 1000,
        "sha256": hashlib.sha256(frames).hexdigest(),
        "shape": list(frames.shape),
        "mean": float(frames.mean()),
        "std": float(frames[0].std()),
        "peakMemoryMb": result.peak_memory_mb,
    }


def pixels(file: bytes) -> dict:
    from PIL import Image

    image = Image.open(io.BytesIO(file))
    return {"sha256": hashlib.sha256(image.convert("RGB").tobytes()).hexdigest(), "mode": image.mode}


def handler(generator):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer({"status": "ok"})

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            try:
                self.answer(pixels(body) if self.path == "/pixels" else generate(generator, json.loads(body)))
            except Exception as error:
                self.answer({"error": f"{type(error).__name__}: {error}"})

        def answer(self, value: dict):
            body = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return Handler


def main():
    port, *argv = sys.argv[1:]
    from sglang.multimodal_gen import DiffGenerator
    from sglang.multimodal_gen.runtime.server_args import prepare_server_args

    sys.argv = [sys.argv[0], *argv]  # releases look there for what was given
    generator = DiffGenerator.from_pretrained(server_args=prepare_server_args(argv))
    HTTPServer(("127.0.0.1", int(port)), handler(generator)).serve_forever()


if __name__ == "__main__":
    main()
