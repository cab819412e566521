"""Celery: a group for each layer and a barrier after it, since a canvas cannot express a graph; a chain as a chain."""
import os
import sys
import time

import celery

from bench_dag import Workers, layers, noop, stages

if sys.argv[1:] == ["version"]:
    print(celery.__version__)
    sys.exit()

URL = os.environ.get("BENCH_REDIS") or sys.argv[1]
app = celery.Celery("bench", broker=URL, backend=URL)


task = app.task(noop, name="noop")


def run(layers):
    """Waits after each layer: a canvas of several groups, one after the other, grows with the power of their number."""
    if max(map(len, layers)) == 1:
        celery.chain(*[task.si() for _ in layers]).apply_async().get(timeout=600, interval=0.001)
        return
    for names in layers:
        celery.group(task.si() for _ in names).apply_async().get(timeout=600, interval=0.001)


def main():
    graph = layers(stages(sys.argv[2]))
    sys.setrecursionlimit(100_000)
    worker = [sys.executable, "-m", "celery", "-A", "bench_celery", "worker", "-c", "2", "--without-gossip", "--without-mingle"]
    with Workers(worker, BENCH_REDIS=URL):
        for _ in range(20):
            task.delay().get(timeout=60)
        begin = time.perf_counter()
        run(graph)
        print(time.perf_counter() - begin)


if __name__ == "__main__":
    main()
