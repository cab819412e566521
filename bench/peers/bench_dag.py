"""What the scripts share: they are called with "version", or with the URL of a Redis and a pipeline file."""
import json
import os
import signal
import subprocess
import sys


def noop(*_):
    """What each stage does."""


def stages(path):
    """Returns the names that each stage comes after, in the order of the file."""
    with open(path) as f:
        return {s["name"]: s.get("after", []) for s in json.load(f)["stages"]}


def layers(after):
    """Returns names by their longest way from the beginning."""
    level = {}
    for name, deps in after.items():
        level[name] = 1 + max((level[d] for d in deps), default=-1)
    found = [[] for _ in range(1 + max(level.values()))]
    for name, n in level.items():
        found[n].append(name)
    return found


class Workers:
    """Processes that end with the block."""

    def __init__(self, *commands, **env):
        self.processes = [
            subprocess.Popen(c, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **env},
                             start_new_session=True)
            for c in commands]

    def __enter__(self):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that __exit__ is called
        return self

    def __exit__(self, *_):
        for p in self.processes:
            os.killpg(p.pid, signal.SIGKILL)
            p.wait()
