"""n yields among 1000 tasks."""

import asyncio

import common

TASKS = 1000


async def task(yields):
    for _ in range(yields):
        await asyncio.sleep(0)


async def main(n):
    start = common.now()
    await asyncio.gather(*(task(n // TASKS) for _ in range(TASKS)))
    return common.now() - start


n = common.size(1_000_000)
seconds = common.run(main(n))
common.report("switches", n, seconds, ns_per_op=round(seconds / n * 1e9, 1))
