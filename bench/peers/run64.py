"""Run /bin/echo many times, 64 at once, and capture each stdout."""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE

import common

JOBS = 64


async def worker(numbers):
    for _ in numbers:
        p = await asyncio.create_subprocess_exec(
            "/bin/echo", "hello", stdin=DEVNULL, stdout=PIPE)
        out, _ = await p.communicate()
        assert (out, p.returncode) == (b"hello\n", 0)


async def main(n):
    start = common.now()
    numbers = iter(range(n))  # shared: each worker takes the next one
    await asyncio.gather(*(worker(numbers) for _ in range(JOBS)))
    return common.now() - start


n = common.size(4000)
common.report("run64", n, common.run(main(n)))
