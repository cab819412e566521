"""RQ: a job per stage with depends_on, on two workers that do not fork for each job."""
import sys
import time

import redis
import rq

from bench_dag import Workers, noop, stages

if sys.argv[1:] == ["version"]:
    print(rq.VERSION)
    sys.exit()

URL = sys.argv[1]
queue = rq.Queue(connection=redis.from_url(URL))


def finish(job):
    while job.get_status() not in ("finished", "failed"):
        time.sleep(0.002)
    if job.get_status() == "failed":
        sys.exit("a job failed")


def main():
    after = stages(sys.argv[2])
    worker = [sys.executable, "-m", "rq.cli", "worker", "--url", URL, "-w", "rq.SimpleWorker"]
    with Workers(worker, worker):
        for _ in range(20):
            finish(queue.enqueue(noop))
        begin = time.perf_counter()
        jobs = {}
        for name, deps in after.items():
            jobs[name] = queue.enqueue(noop, depends_on=[jobs[d] for d in deps] or None)
        finish(jobs[next(reversed(after))])
        print(time.perf_counter() - begin)


if __name__ == "__main__":
    main()
