"""Dask: a graph of the scheduler's own form, on two worker processes with a thread each. It needs no Redis."""
import sys
import time

import distributed

from bench_dag import noop, stages

if sys.argv[1:] == ["version"]:
    print(distributed.__version__)
    sys.exit()


def main():
    after = stages(sys.argv[2])
    graph = {name: (noop, *deps) for name, deps in after.items()}
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster, \
            distributed.Client(cluster) as client:
        for i in range(20):
            client.submit(noop, i).result()
        begin = time.perf_counter()
        client.get(graph, next(reversed(after)))
        print(time.perf_counter() - begin)


if __name__ == "__main__":
    main()
