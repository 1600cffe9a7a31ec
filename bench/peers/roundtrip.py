"""Write a line to cat and read it back, again and again."""

import asyncio
from asyncio.subprocess import PIPE

import common

LINE = b"the quick brown fox jumps over the lazy dog\n"


async def main(n):
    p = await asyncio.create_subprocess_exec("/bin/cat", stdin=PIPE,
                                             stdout=PIPE)
    start = common.now()
    for _ in range(n):
        p.stdin.write(LINE)
        await p.stdin.drain()
        assert await p.stdout.readline() == LINE
    seconds = common.now() - start
    p.stdin.close()
    assert await p.wait() == 0
    return seconds


n = common.size(20_000)
common.report("roundtrip", n, common.run(main(n)))
