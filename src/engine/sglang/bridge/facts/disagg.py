"""Prefill and decode apart: where the bootstrap server listens, and what a request needs to meet its other leg there."""

import itertools
import os
import socket

from .. import compat

FAKE_HOST = "2.2.2.2"
"""SGLang's name for a peer that is not there: the leg runs alone (warm-up, health check)."""
_DEFAULT_PORT = 8998
_FIRST_PORT, _LAST_PORT = 20000, 32767
_WILDCARDS = ("0.0.0.0", "::", "[::]")


def with_bootstrap(argv: list[str]) -> list[str]:
    """SGLang's arguments with what a prefill engine's bootstrap server needs and its user left open.

    The port is a free one, another at each start: decode engines remember an address's KV endpoints and would write to those of the dead engine.
    The host is one that other machines reach; SGLang's own default is the loopback, because it means the HTTP server."""
    if setting(argv, "--disaggregation-mode") != "prefill" or int(setting(argv, "--node-rank") or 0) != 0:
        return argv
    added = []
    if setting(argv, "--host") is None:
        added += ["--host", reachable_host(setting(argv, "--dist-init-addr"))]
    if setting(argv, "--disaggregation-bootstrap-port") is None:
        added += ["--disaggregation-bootstrap-port", str(free_port())]
    return argv + added


def given(argv: list[str], flag: str) -> str | None:
    """The flag's last value, in either spelling; None when it is not there."""
    found = None
    for i, word in enumerate(argv):
        if word == flag and i + 1 < len(argv):
            found = argv[i + 1]
        elif word.startswith(f"{flag}="):
            found = word[len(flag) + 1 :]
    return found


def setting(argv: list[str], flag: str):
    """The flag's value from the arguments or, behind them, from the file of `--config`."""
    found = given(argv, flag)
    if found is None:
        file = config_file(given(argv, "--config"))
        found = file.get(flag[2:], file.get(flag[2:].replace("-", "_")))
    return found


def apart(argv: list[str]) -> bool:
    """Whether this engine does one part of a request."""
    return setting(argv, "--disaggregation-mode") in ("prefill", "decode")


def config_file(path: str | None) -> dict:
    """The map in the file that SGLang's `--config` names; empty when there is none. What is wrong with it, SGLang itself tells."""
    yaml = compat.load("yaml")
    if path is None or yaml is None:
        return {}
    try:
        with open(path) as file:
            found = yaml.safe_load(file)
    except (OSError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def reachable_host(dist_init_addr: str | None) -> str:
    """An address of this machine for others, by SGLang's own rules (SGLANG_HOST_IP wins)."""
    named = os.environ.get("SGLANG_HOST_IP") or os.environ.get("HOST_IP")
    if named:
        return named
    if dist_init_addr:
        return dist_init_addr.rpartition(":")[0].strip("[]") or dist_init_addr
    for module in ("sglang.srt.utils.network", "sglang.srt.utils.common", "sglang.srt.utils"):
        find = compat.load(module, "get_local_ip_auto")
        if find is not None:
            try:
                return find()
            except Exception:  # no network at all
                break
    return "127.0.0.1"


def free_port() -> int:
    """A port below the range that outgoing connections take theirs from."""
    ports = list(range(_FIRST_PORT, _LAST_PORT))
    start = int.from_bytes(os.urandom(4), "little") % len(ports)
    for port in ports[start:] + ports[:start]:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
            try:
                tried.bind(("", port))
                return port
            except OSError:
                continue
    return _DEFAULT_PORT


def bootstrap_address(args: dict) -> dict | None:
    """READY's `bootstrap`: where decode engines find this prefill engine. None for other roles."""
    if args.get("disaggregation_mode") != "prefill":
        return None
    host = args.get("host") or "127.0.0.1"
    if host in _WILDCARDS:
        host = reachable_host(args.get("dist_init_addr"))
    return {"host": host, "port": int(args.get("disaggregation_bootstrap_port") or _DEFAULT_PORT)}


class Meeting:
    """Puts GEN's `boot` into the fields of a tokenized request, and refuses what would hang or kill a scheduler of this role."""

    def __init__(self, server_args):
        mode = getattr(server_args, "disaggregation_mode", None) or "null"
        self.apart = mode in ("prefill", "decode")
        self._mode = mode
        self._fake = getattr(server_args, "disaggregation_transfer_backend", None) == "fake"
        self._rooms = itertools.count(1)
        self._stats = compat.load("sglang.srt.observability.req_time_stats", "APIServerReqTimeStats")
        self._disagg_mode = None
        modes = compat.load("sglang.srt.disaggregation.utils", "DisaggregationMode")
        if modes is not None and self.apart:
            self._disagg_mode = modes(mode)

    def values(self, boot) -> dict:
        """Names of SGLang's request fields and their values, for a `boot` of `[host, port, room, prefill_dp]` or None."""
        if not self.apart:
            if boot is not None:
                raise ValueError("This engine works alone: it was not started with --disaggregation-mode prefill or decode.")
            return {}
        if boot is None:
            if not self._fake:
                raise ValueError(f"This is a {self._mode} engine: a request needs its other leg's bootstrap host, port and room.")
            boot = [FAKE_HOST, None, next(self._rooms), None]
        host, port, room, prefill_dp = (*boot, None, None)[:4]
        if isinstance(room, bool) or not isinstance(room, int) or not 0 < room < 1 << 63:
            raise ValueError(f"A bootstrap room is a whole number from 1 to 2^63 - 1, not {room!r}.")
        found = {"bootstrap_host": host, "bootstrap_room": room}
        if port is not None:
            found["bootstrap_port"] = port
        if prefill_dp is not None:
            found["disagg_prefill_dp_rank"] = prefill_dp
        return found

    def time_stats(self):
        """The scheduler reads a disaggregated request's times without asking whether there are any; None in releases without them."""
        if self._stats is None or not self.apart:
            return None
        try:
            return self._stats(disagg_mode=self._disagg_mode)
        except TypeError:
            return self._stats()
