"""What the asyncio programs share: the size, the watcher and the report."""

import asyncio
import json
import sys
import time

now = time.monotonic


def size(usual):
    return int(sys.argv[1]) if len(sys.argv) > 1 else usual


def run(main):
    """asyncio.run, waiting for children by pidfd as Python 3.12 and later do.

    The default of 3.8 to 3.11 is a thread for each child, which is slower.
    """
    if sys.version_info < (3, 12) and hasattr(asyncio, "PidfdChildWatcher"):
        asyncio.set_child_watcher(asyncio.PidfdChildWatcher())
    return asyncio.run(main)


def report(bench, n, seconds, impl="asyncio", **more):
    line = {"bench": bench, "impl": impl, "n": n,
            "seconds": round(seconds, 6),
            "us_per_op": round(seconds / n * 1e6, 3)}
    print(json.dumps(line | more))


def mib_per_s(mib, seconds):
    return round(mib / seconds, 1)
