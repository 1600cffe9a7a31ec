"""n tasks that each sleep once, for up to a second; the processor time."""

import asyncio
import time

import common


def delays(n):
    """1 to 1000 ms, by the generator that every such program has."""
    seed = 1
    for _ in range(n):
        seed = (seed * 1103515245 + 12345) & 0x7fffffff
        yield ((seed >> 8) % 1000 + 1) / 1000


async def main(n):
    start, cpu = common.now(), time.process_time()
    await asyncio.gather(*(asyncio.sleep(s) for s in delays(n)))
    return time.process_time() - cpu, common.now() - start


n = common.size(100_000)
cpu, wall = common.run(main(n))
common.report("timers", n, cpu, wall_s=round(wall, 6))
