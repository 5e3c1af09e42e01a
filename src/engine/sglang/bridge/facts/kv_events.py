"""KV events for dynamo-sglang's router: where this SGLang publishes them when its user did not say. They carry prompts, so only this machine may listen."""

import json
import logging
import os
import random
import socket

from .. import compat
from . import disagg

ASKED = "DSGL_KV_EVENTS"
FLAG = "--kv-events-config"
_PAGE = "--page-size"
_PAGED = "DSGL_KV_PAGES"
_PAGE_TOKENS = "16"
_RANKS = ("--dp-size", "--dp", "--data-parallel-size", "--attn-dp-size", "--attention-data-parallel-size")
_BUFFER_STEPS = 10_000
_FIRST_PORT, _LAST_PORT = 20000, 32767
logger = logging.getLogger(__name__)


def with_events(argv: list[str], folder: str) -> list[str]:
    """SGLang's arguments with the ones that make it publish, when the environment asks for it, the user left it open and there is a prefix cache to tell of.

    One rank uses unix sockets in `folder`, which is ours alone. More need TCP ports in a row (SGLang adds the rank), bound on the loopback;
    releases before 0.5.23 can only bind every interface."""
    if not os.environ.pop(ASKED, "") or disagg.given(argv, FLAG) is not None or "--disable-radix-cache" in argv:
        return argv
    os.environ[_PAGED] = "1"
    ranks = max(int(disagg.given(argv, flag) or 1) for flag in _RANKS)
    known = getattr(compat.load("sglang.srt.disaggregation.kv_events", "KVEventsConfig"), "model_fields", {})
    # "dynamo": the events name adapters, and block names show what an extra key keeps apart. Releases without it send their own names.
    config = {"publisher": "zmq", "topic": "kv-events", "buffer_steps": _BUFFER_STEPS, "format": "dynamo"}
    if ranks == 1:
        config |= {"endpoint": f"ipc://{folder}/kv", "replay_endpoint": f"ipc://{folder}/kv-old"}
    else:
        port = free_ports(2 * ranks)
        host = "127.0.0.1" if "bind" in known else "*"
        config |= {"endpoint": f"tcp://{host}:{port}", "replay_endpoint": f"tcp://127.0.0.1:{port + ranks}", "bind": True}
    return [*argv, FLAG, json.dumps({name: value for name, value in config.items() if not known or name in known})]


def parsed(parse, argv: list[str]):
    """SGLang's parsed arguments. When they publish for us and the user chose no page size, pages have 16 tokens: SGLang's default of one token costs
    its scheduler a hash, an event and some Python for each prompt token. So have those of every prefill and decode engine, whether it publishes or
    not: a decode scheduler dies of a prefill engine with other pages. A model that takes no such pages keeps the default."""
    publishes = os.environ.pop(_PAGED, "") and disagg.given(argv, FLAG) is not None
    if disagg.setting(argv, _PAGE) is not None or not (publishes or disagg.apart(argv)):
        return parse(argv)
    try:
        return parse([*argv, _PAGE, _PAGE_TOKENS])
    except Exception as error:
        logger.warning("dynamo-sglang: this model takes no pages of %s tokens, it keeps its own: %s", _PAGE_TOKENS, error)
        return parse(argv)


def free_ports(count: int) -> int:
    """The first of `count` neighbouring ports that nobody holds now, below the kernel's own range."""
    span = _LAST_PORT - _FIRST_PORT - count
    start = random.randrange(span)
    for tries in range(span):
        port = _FIRST_PORT + (start + tries) % span
        if all(is_free(port + i) for i in range(count)):
            return port
    raise OSError(f"no {count} neighbouring free ports between {_FIRST_PORT} and {_LAST_PORT}")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
        return True
