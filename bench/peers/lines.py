"""Read every line that a child writes: seq's, n of them."""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE

import common


async def main(n):
    start = common.now()
    p = await asyncio.create_subprocess_exec(
        "/usr/bin/seq", str(n), stdin=DEVNULL, stdout=PIPE, pipesize=1 << 20)
    lines = length = 0
    async for line in p.stdout:
        lines += 1
        length += len(line) - 1
    assert await p.wait() == 0
    seconds = common.now() - start
    assert lines == n
    return seconds, length


n = common.size(5_000_000)
seconds, length = common.run(main(n))
common.report("lines", n, seconds, bytes=length)
