"""Call a function in a worker process, again and again."""

from concurrent.futures import ProcessPoolExecutor

import common


def identity(x):
    return x


def main():
    n = common.size(20_000)
    with ProcessPoolExecutor(1) as pool:
        pool.submit(identity, 0).result()  # the worker is there
        start = common.now()
        for i in range(n):
            assert pool.submit(identity, i).result() == i
        seconds = common.now() - start
    common.report("pool", n, seconds)


if __name__ == "__main__":
    main()
