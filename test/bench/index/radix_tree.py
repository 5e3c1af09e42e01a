"""One case of the index bench on Dynamo's RadixTree, as its wheel exposes it: `radix_tree.py BLOCKS WORKERS`. Prints one line of JSON.

Events go in as JSON and hashes as lists of Python ints, and its work is done on a thread of its own: the CPU time of the whole process counts,
and the encoding of events in Python does not.
"""

import json
import resource
import sys
import time

from dynamo._core import RadixTree

DEPTH, EVENT, SHARERS, MATCHES = 512, 16, 2, 100
blocks, workers = int(float(sys.argv[1])), int(sys.argv[2])
prompts = blocks // DEPTH
MASK = 2**64 - 1


def local(prompt):
    return [((prompt + 1) << 32) | ((prompt * DEPTH + i) * 0x9E3779B1 & 0xFFFFFFFF) for i in range(DEPTH)]


def names(prompt):
    return [(value * 0x9E3779B97F4A7C15 + 1) & MASK for value in local(prompt)]


def rss():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


tree = RadixTree()
before = rss()
spent = {"stored": 0.0, "again": 0.0, "removed": 0.0}
count = {"stored": 0, "again": 0, "removed": 0}
event_id = 0


def apply(worker, data, what, size):
    global event_id
    event_id += 1
    payload = json.dumps({"event_id": event_id, "data": data, "dp_rank": 0}).encode()
    start = time.process_time()
    tree.apply_event(worker, payload)
    spent[what] += time.process_time() - start
    count[what] += size


for group in range(0, prompts, 8):
    members = [(n, local(n), names(n)) for n in range(group, min(group + 8, prompts))]
    for sharer in range(SHARERS):
        for at in range(0, DEPTH, EVENT):
            for number, content, named in members:
                stored = [{"block_hash": named[i], "tokens_hash": content[i]} for i in range(at, at + EVENT)]
                parent = named[at - 1] if at else None
                apply((number + 3 * sharer) % workers, {"stored": {"parent_hash": parent, "blocks": stored}}, "again" if sharer else "stored", EVENT)
tree.find_matches(local(0))
memory = rss() - before

sequences = [local(i * prompts // MATCHES) for i in range(MATCHES)]
rounds = []
for _ in range(5):
    found = 0
    start = time.process_time()
    for sequence in sequences:
        found += sum(tree.find_matches(sequence).scores.values())
    rounds.append((time.process_time() - start) / MATCHES * 1e6)
    assert found == MATCHES * DEPTH * SHARERS, found

for number in range(prompts // 8):
    named = names(number)[::-1]
    for sharer in range(SHARERS):
        for at in range(0, DEPTH, EVENT):
            apply((number + 3 * sharer) % workers, {"removed": {"block_hashes": named[at : at + EVENT]}}, "removed", EVENT)
print(
    json.dumps(
        {
            "index": "Dynamo RadixTree",
            "blocks": blocks,
            "workers": workers,
            "matchMicrosFirst": round(rounds[0], 2),
            "matchMicros": round(sorted(rounds)[2], 2),
            "storedPerSecond": round(count["stored"] / spent["stored"]),
            "storedAgainPerSecond": round(count["again"] / spent["again"]),
            "removedPerSecond": round(count["removed"] / spent["removed"]),
            "rssBytesPerBlock": round(memory / (prompts * DEPTH), 1),
        }
    )
)
