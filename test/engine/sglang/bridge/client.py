"""Plays the TS side of the bridge's wire for the checks: starts the bridge with a real SGLang, reads both channels, collects each request."""

import array
import os
import select
import socket
import struct
import subprocess
import sys
import tempfile
import time

import msgspec
import zmq

BRIDGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../../src/engine/sglang/bridge")
EPOCH = "abc123"


class Request:
    """What came back for one slot."""

    def __init__(self, rid):
        self.rid, self.ids, self.rows, self.logprobs = rid, [], 0, []
        self.first = self.fin = self.error = self.aborted = self.embedding = None
        self.started = time.time()
        self.ended = None

    @property
    def done(self):
        return self.ended is not None


class BridgeClient:
    """One bridge process. `frames` keeps every frame of channel A but OUT."""

    def __init__(self, argv, level=None, env=None, stderr=None):
        self.folder = tempfile.mkdtemp(prefix="bridge-check-")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(f"{self.folder}/a.sock")
        listener.listen(1)
        self.pull = zmq.Context.instance().socket(zmq.PULL)
        self.pull.setsockopt(zmq.RCVHWM, 0)
        tok = f"ipc://{self.folder}/b.sock"
        self.pull.bind(tok)
        environment = {**os.environ, "DSGL_SOCK": f"{self.folder}/a.sock", "DSGL_SECRET": "s3cret", **(env or {})}
        self.process = subprocess.Popen(
            [sys.executable, "-u", BRIDGE, *argv], env=environment, stdout=stderr or subprocess.DEVNULL, stderr=stderr or subprocess.DEVNULL, process_group=0
        )
        listener.settimeout(60)
        self.sock, _ = listener.accept()
        self.sock.settimeout(None)
        self.rest, self.frames, self.requests, self.next_slot, self.last_seq, self.calls = b"", [], {}, 1, {}, {}
        self.loads = []
        self.channels = {"A": 0, "B": 0}
        self.hello = self.wait(lambda: self.seen(1), 240)
        assert self.hello["secret"] == "s3cret"
        self.send([1, {"level": level, "tok": tok, "epoch": EPOCH}])

    def send(self, *messages):
        out = b""
        for message in messages:
            body = msgspec.msgpack.encode(message)
            out += struct.pack("<I", len(body)) + body
        self.sock.sendall(out)

    def seen(self, kind):
        return next((frame[1] for frame in self.frames if frame[0] == kind), None)

    def wait(self, condition, timeout=60):
        """Reads both channels until `condition()` is true; returns its value."""
        limit = time.time() + timeout
        while not (value := condition()):
            assert time.time() < limit, f"nothing after {timeout} s; {str(self.frames[-1:])[:500]}"
            self.step(0.05)
        return value

    def step(self, timeout):
        poller = zmq.Poller()
        poller.register(self.pull, zmq.POLLIN)
        if self.sock is not None:
            poller.register(self.sock, zmq.POLLIN)
        ready = dict(poller.poll(timeout * 1000))
        if self.pull in ready:
            while self.pull.poll(0):
                self.take(msgspec.msgpack.decode(self.pull.recv()), "B")
        if self.sock is not None and self.sock.fileno() in ready:
            data = self.sock.recv(1 << 20)
            if not data:
                self.sock = None
                return
            self.rest += data
            while len(self.rest) >= 4:
                (length,) = struct.unpack_from("<I", self.rest)
                if len(self.rest) < 4 + length:
                    break
                frame, self.rest = self.rest[4 : 4 + length], self.rest[4 + length :]
                self.take(msgspec.msgpack.decode(frame), "A")

    def take(self, frame, channel):
        kind = frame[0]
        if kind == 100:
            self.channels[channel] += 1
            self.take_out(frame, channel)
        elif kind == 110:
            self.channels[channel] += 1
            for slot, gen, prompt, vector, finish in frame[1]:
                request = self.requests[slot]
                request.embedding = None if vector is None else list(array.array("f", vector))
                request.first, request.fin = [0, prompt, 0], [0, *(finish or [])]
                self.end(slot, request)
        elif kind == 101:
            request = self.requests[frame[1]]
            request.error = frame[3:]
            self.end(frame[1], request)
        elif kind == 102:
            request = self.requests[frame[1]]
            request.aborted = frame[3]
            self.end(frame[1], request)
        elif kind == 120:
            self.calls[frame[1]] = frame[2:]
        elif kind == 130:
            self.loads.append(frame[1:])
        else:
            self.frames.append(frame)

    def take_out(self, frame, channel):
        _, rank, seq, who, toks, lens, first, fin, lp, load, _ts = frame
        assert seq == self.last_seq.get((channel, rank), 0) + 1, f"lost frame on {channel}: {seq}"
        self.last_seq[(channel, rank)] = seq
        if load:
            self.loads.append([rank, *load])
        count = len(who) // 8
        counts = [1] * count if lens is None else list(array.array("I", lens))
        tokens, at, slots = array.array("i", toks), 0, []
        assert len(counts) == count and sum(counts) == len(tokens)
        for i in range(count):
            slot, gen = struct.unpack_from(">II", who, i * 8)
            slots.append(slot)
            request = self.requests[slot]
            assert gen == int(request.rid[16:], 16), "row of another generation"
            assert not request.done, f"row after the end of {request.rid}"
            request.ids += tokens[at : at + counts[i]]
            request.rows += 1
            request.rank = rank
            at += counts[i]
        for row in first:
            assert self.requests[slots[row[0]]].first is None, "two firsts"
            self.requests[slots[row[0]]].first = row
        for row in lp or []:
            self.requests[slots[row[0]]].logprobs.append(row)
        for row in fin:
            request = self.requests[slots[row[0]]]
            request.fin = row
            self.end(slots[row[0]], request)

    def end(self, slot, request):
        if not request.done:
            request.ended = time.time()
            self.send([13, [slot]])

    def frame_for(self, ids, sp=None, opt=None, kind=10):
        slot = self.next_slot
        self.next_slot += 1
        rid = f"ds{EPOCH}{slot:08x}{7:08x}"
        self.requests[slot] = Request(rid)
        packed = None if ids is None else array.array("I", ids).tobytes()
        return [10, slot, rid, packed, sp or {}, opt] if kind == 10 else [11, slot, rid, packed, opt]

    def start(self, ids, sp=None, opt=None, kind=10):
        frame = self.frame_for(ids, sp, opt, kind)
        self.send(frame)
        return self.requests[frame[1]]

    def run(self, ids, sp=None, opt=None, kind=10, timeout=60):
        request = self.start(ids, sp, opt, kind)
        self.wait(lambda: request.done, timeout)
        return request

    def call(self, method, args=None, timeout=60):
        number = len(self.calls) + 1
        self.send([20, number, method, args or {}])
        self.wait(lambda: number in self.calls, timeout)
        return self.calls[number]

    def shutdown(self, timeout=20):
        self.send([31, 5000])
        return self.exit_status(timeout)

    def exit_status(self, timeout=20):
        limit = time.time() + timeout
        while self.process.poll() is None and time.time() < limit:
            if self.sock is not None:
                self.step(0.05)
            else:
                time.sleep(0.05)
        return self.process.wait(timeout=0.1)

    def drain(self):
        """Reads what is left after the process ended."""
        while self.sock is not None and select.select([self.sock], [], [], 0.2)[0]:
            self.step(0.05)


def group_alive(pgid):
    """Pids of the process group that still run."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as stat:
                    fields = stat.read().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == pgid and fields[0] != "Z":
                found.append(int(name))
    return found
