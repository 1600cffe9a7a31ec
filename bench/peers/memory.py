"""What one task that waits, one process and one pipe add to the memory.

Each kind is weighed in a program of its own: n tasks, n / 10 of the others.
"""

import asyncio
import gc
import os
import subprocess
import sys
from asyncio.subprocess import DEVNULL, PIPE

import common

PAGE = 4096
KINDS = "task", "process", "piped", "pipe"


def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * PAGE


async def spawn(stdout):
    return await asyncio.create_subprocess_exec(
        "/bin/sleep", "300", stdin=DEVNULL, stdout=stdout)


async def pipe():
    """A StreamReader and a StreamWriter."""
    loop = asyncio.get_running_loop()
    read, write = os.pipe()
    reader = asyncio.StreamReader()
    source, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read, "rb"))
    sink, protocol = await loop.connect_write_pipe(
        asyncio.streams.FlowControlMixin, os.fdopen(write, "wb"))
    writer = asyncio.StreamWriter(sink, protocol, None, loop)
    return reader, source, writer


async def make(kind):
    if kind == "task":
        return asyncio.create_task(asyncio.sleep(1000))
    if kind == "pipe":
        return await pipe()
    return await spawn(PIPE if kind == "piped" else None)


async def weigh(kind, n):
    before = resident()
    made = [await make(kind) for _ in range(n)]
    await asyncio.sleep(0)
    print((resident() - before) / n)
    for one in made:
        if kind in ("process", "piped"):
            one.kill()
            await one.wait()
    sys.stdout.flush()
    os._exit(0)  # the tasks and pipes need no farewell


def measure(kind, n):
    count = n if kind == "task" else max(1, n // 10)
    out = subprocess.check_output([sys.executable, __file__, str(count), kind])
    return round(float(out))


n = common.size(10_000)
if len(sys.argv) > 2:
    common.run(weigh(sys.argv[2], n))
start = common.now()
found = {f"{kind}_bytes": measure(kind, n) for kind in KINDS}
common.report("memory", n, common.now() - start, **found)
