"""Start Python with asyncio and no work, again and again."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL

import common


async def main(n):
    start = common.now()
    for _ in range(n):
        p = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-c", "import asyncio", stdin=DEVNULL)
        assert await p.wait() == 0
    return common.now() - start


n = common.size(200)
seconds = common.run(main(n))
common.report("startup", n, seconds, ms_per_op=round(seconds / n * 1e3, 3))
