"""Jobs inside the bridge: each in a thread that sits in SGLang's generate(), one at a time for each replica."""

import inspect
import os
import re
import shutil
import threading

from .. import failure
from . import messages
from .frames import FrameFile

_LAST_WORDS_SECS = 2.0
"""A worker's report comes on another way than SGLang's reply: so long is waited for it after a failure."""

FORBIDDEN = {
    "data_type", "debug", "num_outputs_per_prompt", "output_file_name", "output_path", "perf_dump_path", "profile", "profile_all_stages", "prompt_path",
    "request_id", "return_file_paths_only", "return_frames", "return_image_bytes", "return_trajectory_decoded", "return_trajectory_latents", "save_output",
    "suppress_logs", "image_path", "video_path", "frame_interpolation_model_path", "upscaling_model_path", "rollout", "no_override_protected_fields",
}  # fmt: skip
"""Sampling parameters that a request may not set: they name files of this machine, or change how answers come back."""


class Refused(Exception):
    """The request's own fault."""


class Job:
    """One GENERATE. `ended` counts the outputs that the workers said END for; `told` holds those whose frames the other side has."""

    def __init__(self, number: int, asked: dict):
        self.number, self.asked = number, asked
        self.outputs = max(1, int(asked["params"].get("num_outputs_per_prompt", 1)))
        self.cancelled = False
        self.told: set[int] = set()
        self.ended = 0
        self.stages: dict = {}
        self.failure: dict | None = None
        self.reported = threading.Condition()


class Jobs:
    """`send(message)` goes to the other side; it may be called from any thread."""

    def __init__(self, generator, args, send, hooks):
        self._generator, self._send, self._hooks = generator, send, hooks
        self._jobs: dict[int, Job] = {}
        self._sent = threading.local()
        self._dir = os.environ[messages.JOBS_DIR]
        replicas = int(getattr(args, "dp_size", 1) or 1)
        self._free = list(range(replicas))
        self._turn = threading.Semaphore(replicas)
        self.alone = threading.RLock() if _shares_socket() else None
        """Held around each call where a release has one socket for all of them."""
        self._watch_calls()
        if replicas > 1:
            self._choose_replicas()

    def start(self, number: int, asked: dict):
        job = Job(number, asked)
        self._jobs[number] = job
        with open(self._path(number), "w") as file:
            file.write(str(int(asked.get("preview_every") or 0)))
        threading.Thread(target=self._run, args=(job,), daemon=True).start()

    def cancel(self, number: int):
        job = self._jobs.get(number)
        if job is not None:
            job.cancelled = True
            self._forget(number)

    def count(self) -> int:
        return len(self._jobs)

    def report(self, message: list, raw_send) -> None:
        """A worker's message about a job: END is noted, the rest goes on to the other side as it is, unless the job is over."""
        kind, number = message[0], message[1]
        job = self._jobs.get(number)
        if job is None:
            return
        if kind != messages.END:
            if kind == messages.FRAMES and message[8] == message[4]:
                job.told.add(message[2])
            raw_send(message)
            return
        _, _, outputs, stages, failed = message
        with job.reported:
            job.ended += outputs
            for name, ms in stages.items():
                job.stages[name] = job.stages.get(name, 0) + ms
            job.failure = failed or job.failure
            job.reported.notify_all()

    def _run(self, job: Job):
        folder = None
        try:
            with self._turn:
                if job.cancelled:
                    raise InterruptedError
                self._sent.replica = self._free.pop()
                try:
                    folder, params = self._parameters(job)
                    answer = self._generate(job, params)
                finally:
                    self._free.append(self._sent.replica)
            self._send(answer)
        except InterruptedError:
            self._send([messages.FAILED, job.number, "cancelled", "", "cancelled before it began"])
        except Refused as error:
            self._send([messages.FAILED, job.number, "rejected", type(error.__cause__ or error).__name__, str(error)])
        except Exception as error:
            self._send([messages.FAILED, job.number, "failed", type(error).__name__, str(error)])
        finally:
            self._jobs.pop(job.number, None)
            self._forget(job.number)
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)

    def _parameters(self, job: Job) -> tuple[str | None, dict]:
        """SGLang's sampling parameters, and the folder of the job's images."""
        asked = job.asked
        extra = asked.get("extra") or {}
        wrong = sorted(set(extra) & FORBIDDEN)
        if wrong:
            raise Refused(f"{wrong[0]} cannot be set by a request")
        params = extra | asked["params"]
        params |= {"request_id": messages.request_id(asked["id"], job.number), "save_output": False, "return_frames": True, "suppress_logs": True}
        images = asked.get("images") or []
        if not images:
            return None, params
        folder = os.path.join(os.environ[failure.STATE_DIR], f"images-{job.number}")
        os.mkdir(folder, 0o700)
        paths = []
        for index, image in enumerate(images):
            paths.append(os.path.join(folder, f"{index}.png"))
            with open(paths[-1], "wb") as file:
                file.write(image)
        return folder, params | {"image_path": paths[0] if len(paths) == 1 else paths}

    def _generate(self, job: Job, params: dict) -> list:
        self._sent.any, self._sent.error = False, None
        try:
            results = self._generator.generate(sampling_params_kwargs=params)
        except Exception as error:
            if self._sent.any:
                raise
            raise Refused(_last_line(error)) from error  # SGLang checked the parameters and did not like them
        results = results if isinstance(results, list) else [] if results is None else [results]
        self._hear_out(job, bool(results))
        if not results:
            return self._failed(job)
        for index, result in enumerate(results):
            if index not in job.told:
                self._tell(job, index, result.frames)
        peak = max((result.peak_memory_mb or 0 for result in results), default=0)
        return [messages.DONE, job.number, {"stages": job.stages, "peakMemoryMb": peak or None}]

    def _hear_out(self, job: Job, done: bool):
        """Waits until the workers have told all they have to tell of this job."""
        if "execute" not in self._hooks():
            return
        with job.reported:
            job.reported.wait_for(lambda: job.ended >= (job.outputs if done else 1), None if done else _LAST_WORDS_SECS)

    def _failed(self, job: Job) -> list:
        told = job.failure or {}
        text = told.get("message") or str(self._sent.error or "SGLang gave no result and no reason")
        kind = told.get("type") or ""
        return [messages.FAILED, job.number, failure_kind(kind, text, told.get("files") or []), kind, text]

    def _tell(self, job: Job, output: int, frames):
        """Frames that came by SGLang's own way (results it changed afterwards): list of [height, width, 1 to 4] uint8."""
        import numpy

        pixels = numpy.stack([frame if frame.ndim == 3 else frame[..., None] for frame in frames])
        if pixels.shape[3] < 3:
            pixels = numpy.repeat(pixels[..., :1], 3, axis=3)
        count, height, width, _ = pixels.shape
        file = FrameFile.make(job.number, output, count, height, width)
        file.write(0, numpy.ascontiguousarray(pixels[..., :3]))
        self._send([messages.FRAMES, job.number, output, file.path, count, height, width, 0, count])
        file.close()

    def _watch_calls(self):
        """generate() hides the error of SGLang's answer: it is kept here, by thread."""
        generator, sent, send = self._generator, self._sent, self._generator._send_to_scheduler_and_wait_for_response

        def watched(batch):
            sent.any = True
            try:
                if self.alone is None:
                    answer = send(batch)
                else:
                    with self.alone:
                        answer = send(batch)
            except Exception as error:
                sent.error = f"{type(error).__name__}: {error}"
                raise
            sent.error = answer.error
            return answer

        generator._send_to_scheduler_and_wait_for_response = watched

    def _choose_replicas(self):
        """SGLang's client takes its replicas in turn, busy or not; a job goes to the one it has."""
        from sglang.multimodal_gen.runtime import scheduler_client

        choose = getattr(scheduler_client, "_select_replica", None)

        def chosen(batch, count, counter):
            replica = getattr(self._sent, "replica", None)
            return choose(batch, count, counter) if replica is None else replica

        if choose is not None:
            scheduler_client._select_replica = chosen

    def _path(self, number: int) -> str:
        return os.path.join(self._dir, str(number))

    def _forget(self, number: int):
        try:
            os.unlink(self._path(number))
        except FileNotFoundError:
            pass


def failure_kind(kind: str, text: str, files: list[str]) -> str:
    """Whose fault it was, by the exception's class, its text and where it was raised."""
    if kind == "Cancelled":
        return "cancelled"
    if kind == "OutOfMemoryError" or "out of memory" in text.lower():
        return "out_of_memory"
    return "rejected" if kind in ("ValueError", "TypeError") and "input_validation.py" in files else "failed"


def _shares_socket() -> bool:
    """Older releases have one socket for all calls, which takes one at a time."""
    from sglang.multimodal_gen.runtime.scheduler_client import SchedulerClient

    return "scheduler_socket" in inspect.getsource(SchedulerClient.initialize)


def _last_line(error: BaseException) -> str:
    unknown = re.search(r"unexpected keyword argument '(\w+)'", str(error))
    if unknown:
        return f"this model has no sampling parameter {unknown[1]}"
    return next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)
