"""Celery: a canvas with a barrier after each layer, which is the only way in which it can express a graph."""
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


def canvas(layers):
    return celery.chain(*[task.si() if len(names) == 1 else celery.group(task.si() for _ in names) for names in layers])


def main():
    graph = layers(stages(sys.argv[2]))
    sys.setrecursionlimit(100_000)
    worker = [sys.executable, "-m", "celery", "-A", "bench_celery", "worker", "-c", "2", "--without-gossip", "--without-mingle"]
    with Workers(worker, BENCH_REDIS=URL):
        for _ in range(20):
            task.delay().get(timeout=60)
        begin = time.perf_counter()
        canvas(graph).apply_async().get(timeout=600, interval=0.001)
        print(time.perf_counter() - begin)


if __name__ == "__main__":
    main()
