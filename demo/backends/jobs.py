"""Does jobs that somebody waits for: jobs.py EVENTS STATUS PUBLISH

A job is a category, its result an event there.  A job is queued when somebody
begins to wait for it, and leaves the queue when nobody waits any more.  A job
that fails is not tried again, unless the network failed, or nginx with a 5xx.
"""

import json
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from online import FAILURES, follow, get

queue = {}              # jobs to be done
wanted = set()          # those that somebody waits for
changed = threading.Condition()


def do(job):
    """The work.  It may take its time: clients come and go meanwhile."""

    return {"done": job}


def has_result(status, job):
    zones = get(f"{status}?category={urllib.parse.quote(job)}")["zones"]
    return any(zone["category"]["events"] for zone in zones.values())


def send(publish, job, result):
    body = json.dumps({"category": job, "data": result}).encode()
    headers = {"Idempotency-Key": "result"}     # the first one counts
    urllib.request.urlopen(
        urllib.request.Request(publish, body, headers), timeout=90).close()


def may_succeed_later(error):
    if isinstance(error, urllib.error.HTTPError):
        return error.code >= 500

    return isinstance(error, FAILURES)


def work(status, publish):
    while True:
        with changed:
            changed.wait_for(lambda: queue)
            job = next(iter(queue))
            del queue[job]

        try:
            if not has_result(status, job):
                send(publish, job, do(job))

        except Exception as error:              # the next job may succeed
            print(f"{job}: {error!r}", file=sys.stderr)

            if may_succeed_later(error):
                time.sleep(1)
                with changed:
                    if job in wanted:
                        queue[job] = None


def main(events, status, publish):
    threading.Thread(target=work, args=(status, publish), daemon=True).start()

    for _, waits, came in follow(events, status):
        with changed:
            wanted.clear()
            wanted.update(waits)

            for job in queue.keys() - wanted:
                del queue[job]

            queue.update(dict.fromkeys(came))
            changed.notify()


if __name__ == "__main__":
    main(*sys.argv[1:])
