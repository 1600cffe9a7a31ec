"""How late is a task that wants to run each millisecond while another works
as fast as it can, n milliseconds at each kind of work?

By the clock, and in processor time of ours.
"""

import asyncio
import time
from asyncio.subprocess import DEVNULL, PIPE

import common

TICK = 0.001
now = common.now


async def tick(late, used):
    while True:
        due, cpu = now() + TICK, time.process_time()
        await asyncio.sleep(TICK)
        late.append(now() - due)
        used.append(time.process_time() - cpu)


async def rest(over):
    await asyncio.sleep(over - now())


async def spawn(over):
    while now() < over:
        p = await asyncio.create_subprocess_exec("/bin/true", stdin=DEVNULL)
        assert await p.wait() == 0


async def start_reading(*argv):
    return await asyncio.create_subprocess_exec(
        *argv, stdin=DEVNULL, stdout=PIPE, limit=1 << 20, pipesize=1 << 20)


async def end(p):
    p.kill()
    await p.wait()


async def read(over):
    p = await start_reading("/bin/cat", "/dev/zero")
    while now() < over:
        await p.stdout.read(1 << 18)
    await end(p)


async def lines(over):
    p = await start_reading("/usr/bin/yes")
    async for _ in p.stdout:
        if now() >= over:
            break
    await end(p)


async def write(over, data):
    """What is written goes to cat, and from there nowhere."""
    p = await asyncio.create_subprocess_exec(
        "/bin/cat", stdin=PIPE, stdout=DEVNULL, pipesize=1 << 20)
    while now() < over:
        p.stdin.write(data)
        await p.stdin.drain()
    await end(p)


async def feed(over):
    await write(over, b"x" * (1 << 18))


async def log(over):
    await write(over, b"x" * 99 + b"\n")


async def measure(work, seconds):
    """The worst of both, in milliseconds."""
    late, used, cpu = [], [], time.process_time()
    ticker = asyncio.create_task(tick(late, used))
    await work(now() + seconds)
    ticker.cancel()
    never = time.process_time() - cpu  # had it its turn
    return max(late, default=seconds) * 1e3, max(used, default=never) * 1e3


async def main(n):
    found = {}
    for work in rest, spawn, read, lines, feed, log:
        name = "idle" if work is rest else work.__name__
        late, used = await measure(work, n / 1e3)
        found |= {f"{name}_ms": round(late, 3),
                  f"{name}_cpu_ms": round(used, 3)}
    return found


n = common.size(2000)
start = now()
found = common.run(main(n))
common.report("latency", n, now() - start, **found)
