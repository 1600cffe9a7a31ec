"""Run echo | cat | wc, and read what comes out, again and again.

As the documentation of asyncio does it: by pipes of os.pipe between the stages.
"""

import asyncio
import os
from asyncio.subprocess import DEVNULL, PIPE

import common


async def run_one():
    read, write = os.pipe()
    a = await asyncio.create_subprocess_exec(
        "/bin/echo", "hello", stdin=DEVNULL, stdout=write)
    os.close(write)
    read_2, write_2 = os.pipe()
    b = await asyncio.create_subprocess_exec(
        "/bin/cat", stdin=read, stdout=write_2)
    os.close(read)
    os.close(write_2)
    c = await asyncio.create_subprocess_exec(
        "/usr/bin/wc", "-c", stdin=read_2, stdout=PIPE)
    os.close(read_2)
    out, _ = await c.communicate()
    assert out == b"6\n"
    assert (await a.wait(), await b.wait(), c.returncode) == (0, 0, 0)


async def main(n):
    start = common.now()
    for _ in range(n):
        await run_one()
    return common.now() - start


n = common.size(500)
common.report("pipeline", n, common.run(main(n)))
