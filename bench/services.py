#!/usr/bin/env python3
"""The workloads of supervisors: what is measured, and how.

    services.py WORKLOAD SUPERVISOR SIZE [LUVISOR]

WORKLOAD is services, storm or servicelog. The supervisors and their
configurations stand in peers/supervisors.py, the services in limit/service.c:
they say when they run, and hold a FIFO open until they end, so nobody has to
look. One line of JSON comes out.
"""

import ctypes
import json
import os
import resource
import select
import shutil
import signal
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "peers"))
import supervisors  # noqa: E402

now = time.monotonic
SERVICE = Path(__file__).resolve().parent.parent / "build/bench/service"
LIMIT = 600  # seconds for anything; 10,000 services start in a minute
IDLE = 10
CLIENTS = 1000
FOLLOWERS = 100
STORM = 5
PR_SET_CHILD_SUBREAPER = 36
NOT_INSTALLED = 77
DESCRIPTORS = {"luvisor-files": 3}  # a service: its output, process, log
RESTARTS = {"luvisor": 50, "luvisor-files": 50}  # others take a second each


# Processes -------------------------------------------------------------------


def children():
    """{pid: [its children's pids]} of all processes."""
    table = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        parent = int(text.rpartition(")")[2].split()[1])
        table.setdefault(parent, []).append(int(stat.parent.name))
    return table


def is_service(pid):
    try:
        return os.readlink(f"/proc/{pid}/exe") == str(SERVICE)
    except OSError:
        return False


def family(root):
    """All processes from root downwards that are no services."""
    table, found, left = children(), [], [root]
    while left:
        pid = left.pop()
        if not is_service(pid):
            found.append(pid)
        left += table.get(pid, [])
    return found


def pss_kb(pid):
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def switches(pid):
    """How often its threads have been put on a processor."""
    total = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        for line in status.read_text().splitlines():
            if "ctxt_switches" in line:
                total += int(line.split()[1])
    return total


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


# A supervisor under measurement -----------------------------------------------


class Trial:
    """A folder, a FIFO for the reports, and one supervisor; for `with`."""

    def __init__(self, name, make_services, log=None):
        self.dir = Path(tempfile.mkdtemp(prefix="bench-"))
        self.fifo = self.dir / "fifo"
        os.mkfifo(self.fifo)
        self.reports = os.open(self.fifo, os.O_RDONLY | os.O_NONBLOCK)
        self.keeper = os.open(self.fifo, os.O_WRONLY)  # until all is to end
        self.rest = b""
        services = make_services(self.fifo)
        self.supervisor = supervisors.known[name](self.dir, services, log)

    def __enter__(self):
        return self

    def start(self):
        self.began = now()
        self.supervisor.start()

    def family(self):
        return family(self.supervisor.process.pid)

    def hear(self, count=None, until=None):
        """The numbers that the services report: so many, or to a time."""
        heard, limit = [], until or now() + LIMIT
        while count is None or len(heard) < count:
            left = limit - now()
            if left <= 0:
                assert until, f"{len(heard)} of {count} reports came"
                break
            if not select.select([self.reports], [], [], left)[0]:
                continue
            more = self.rest + os.read(self.reports, 1 << 16)
            *lines, self.rest = more.split(b"\n")
            heard += map(int, lines)
        return heard

    def wait_for_silence(self):
        """Until no service has the FIFO open."""
        os.close(self.keeper)
        limit = now() + LIMIT
        while now() < limit:
            if select.select([self.reports], [], [], 1)[0] \
                    and not os.read(self.reports, 1 << 16):
                return
        raise TimeoutError("services are left")

    def stop(self):
        """Seconds from the request to the end of all services and of all of
        the supervisor."""
        handles = [os.pidfd_open(pid) for pid in self.family()]
        begin = now()
        self.supervisor.ask_to_end()
        self.wait_for_silence()
        for handle in handles:
            ended = select.select([handle], [], [], LIMIT)[0]
            assert ended, "it does not end"
            os.close(handle)
        self.supervisor.process.wait()
        return now() - begin

    def kill_all(self):
        """After a failure: nothing may be left."""
        for _ in range(3):
            table = children()
            left = table.get(os.getpid(), [])
            while left:
                pid = left.pop()
                left += table.get(pid, [])
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.1)
        self.supervisor.process.wait()

    def __exit__(self, *_):
        if children().get(os.getpid()):
            self.kill_all()
        os.close(self.reports)
        shutil.rmtree(self.dir, ignore_errors=True)


# The workloads ---------------------------------------------------------------


def ask_many(trial, request, count):
    """So many clients at once, each with a connection of its own: seconds
    until all have their answers."""
    poll, answers, pending = select.epoll(), {}, {}
    begin = now()
    for _ in range(count):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(LIMIT)
        client.connect(str(trial.supervisor.socket))
        client.sendall(request)
        poll.register(client.fileno(), select.EPOLLIN)
        pending[client.fileno()], answers[client.fileno()] = client, 0
        take_answers(poll, pending, answers, 0)
    while pending:
        take_answers(poll, pending, answers, LIMIT)
    assert min(answers.values(), default=1) > 0, "a client got no answer"
    return now() - begin


def take_answers(poll, pending, answers, timeout):
    for fd, _ in poll.poll(timeout):
        more = pending[fd].recv(1 << 20)
        answers[fd] += len(more)
        if not more:
            poll.unregister(fd)
            assert answers.pop(fd) > 0, "a client got no answer"
            pending.pop(fd).close()


def follow_events(trial, pids):
    """Processor time of the supervisor for each event and follower while
    services are restarted."""
    followers = []
    for _ in range(FOLLOWERS):
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(trial.supervisor.socket))
        client.sendall(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        followers.append(client)
        client.recv(1 << 16)
    counts = dict.fromkeys(followers, 0)
    before, begin = cpu_seconds(trial.supervisor.process.pid), now()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    wanted = 2 * len(pids)  # at least: it leaves `running` and comes back
    while min(counts.values()) < wanted:
        for client in select.select(followers, [], [], LIMIT)[0]:
            counts[client] += client.recv(1 << 20).count(b"event: state")
    seconds = now() - begin
    cpu = cpu_seconds(trial.supervisor.process.pid) - before
    trial.hear(len(pids))
    total = sum(counts.values())
    for client in followers:
        client.close()
    return {"events_s": seconds, "event_us": cpu / total * 1e6}


def restart(trial, pid, times):
    """Milliseconds from kill -9 to the report of the next."""
    took = []
    for _ in range(times):
        begin = now()
        os.kill(pid, signal.SIGKILL)
        pid, = trial.hear(1)
        took.append((now() - begin) * 1e3)
    return statistics.median(took), pid


def idle(trial):
    pids = trial.family()
    before = [(switches(pid), cpu_seconds(pid)) for pid in pids]
    time.sleep(IDLE)
    after = [(switches(pid), cpu_seconds(pid)) for pid in pids]
    woken = sum(b[0] - a[0] for a, b in zip(before, after))
    cpu = sum(b[1] - a[1] for a, b in zip(before, after))
    return {"wakeups_per_s": woken / IDLE, "idle_cpu_ms": cpu * 1e3}


def memory(trial):
    pids = trial.family()
    kb = sum(map(pss_kb, pids))
    return {"pss_mb": kb / 1024, "processes": len(pids)}


def memory_of_one(name):
    """MB of a supervisor that has one service."""
    with Trial(name, reporters(1)) as trial:
        trial.start()
        trial.hear(1)
        alone = memory(trial)["pss_mb"]
        trial.stop()
    return alone


def reporters(n):
    return lambda fifo: {f"w{i + 1}": [SERVICE, "report", fifo]
                         for i in range(n)}


def check_descriptors(name, n):
    """Say at once that there are too few, and how many it takes."""
    needed = DESCRIPTORS.get(name, 2) * n + CLIENTS + FOLLOWERS
    has, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if has < needed:
        sys.exit(f"{n} services take up to {needed} descriptors, and the limit "
                 f"is {has} (ulimit -n)")


def ask_status(trial):
    name = "w1"
    trial.supervisor.status(name)
    took = []
    for _ in range(20):
        begin = now()
        trial.supervisor.status(name)
        took.append((now() - begin) * 1e3)
    result = {"status_ms": statistics.median(took)}
    request = trial.supervisor.request(name)
    if request:
        result["clients_s"] = ask_many(trial, request, CLIENTS)
        result["status_all_ms"] = ask_many(
            trial, trial.supervisor.all_request(), 1) * 1e3
    return result


def services(name, n):
    """n services: start, memory, restart, idleness, clients, stop."""
    check_descriptors(name, n)
    alone = memory_of_one(name)
    with Trial(name, reporters(n)) as trial:
        trial.start()
        pids = trial.hear(n)
        result = {"start_s": now() - trial.began} | memory(trial)
        if n > 1:
            more = result["pss_mb"] - alone
            result["service_bytes"] = more * (1 << 20) / (n - 1)
        time.sleep(2)  # s6 and runit hold back a restart in the first second
        result |= idle(trial)
        result["restart_ms"], _ = restart(trial, pids[0],
                                          RESTARTS.get(name, 3))
        result |= ask_status(trial)
        if name.startswith("luvisor"):
            result |= follow_events(trial, pids[1:1 + min(100, n - 1)])
        result["stop_s"] = trial.stop()
    return result["start_s"] + result["stop_s"], result


def storm(name, n):
    """n services that crash at once and each time again; how a neighbour that
    is killed, and a client, fare meanwhile."""
    def make(fifo):
        crashing = {f"c{i + 1}": [SERVICE, "crash", fifo] for i in range(n)}
        return {"w1": [SERVICE, "report", fifo]} | crashing
    with Trial(name, make) as trial:
        trial.start()
        trial.hear(n + 1)
        trial.hear(until=now() + 1)
        begin, count, took = now(), 0, []
        while now() < begin + STORM:
            count += len(trial.hear(until=now() + 0.2))
            asked = now()
            trial.supervisor.status("w1")
            took.append((now() - asked) * 1e3)
        seconds = now() - begin
        trial.kill_all()
    return seconds, {"restarts_per_s": count / seconds,
                     "status_ms": statistics.median(took),
                     "status_max_ms": max(took)}


def cut_lines(trial):
    """Lines in the log's files that are not as long as they were written."""
    cut = 0
    for path in trial.supervisor.log_files("w1"):
        lines = path.read_bytes().split(b"\n")
        cut += sum(not line.endswith(b"x" * 99) for line in lines[:-1])
    return cut


def log_of(name, mib, kind):
    def make(fifo):
        return {"w1": [SERVICE, "log", fifo, mib]}
    with Trial(name, make, kind) as trial:
        trial.start()
        assert trial.hear(1) == [0]
        begin = now()
        assert trial.hear(1) == [1]
        seconds = now() - begin
        time.sleep(0.5)
        cpu = sum(map(cpu_seconds, trial.family()))
        cut = cut_lines(trial)
        trial.stop()
    return seconds, cpu, cut


def servicelog(name, mib):
    """MiB of lines of 100 bytes through the log of a service."""
    seconds, cpu, cut = log_of(name, mib, "plain")
    result = {"mib_per_s": mib / seconds, "cpu_s": cpu, "cut": cut}
    if name != "supervisord":  # which has no timestamps
        stamped, cpu, cut = log_of(name, mib, "stamped")
        result |= {"stamped_mib_per_s": mib / stamped, "stamped_cpu_s": cpu,
                   "stamped_cut": cut}
    return seconds, result


WORKLOADS = {"services": services, "storm": storm, "servicelog": servicelog}


def main():
    if len(sys.argv) < 4 or sys.argv[1] not in WORKLOADS:
        sys.exit(__doc__)
    workload, name, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if len(sys.argv) > 4:
        supervisors.Luvisor.program = os.path.abspath(sys.argv[4])
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        seconds, result = WORKLOADS[workload](name, n)
    except FileNotFoundError as error:
        print(f"no {error.filename} (tools/deps bench)", file=sys.stderr)
        sys.exit(NOT_INSTALLED)
    except KeyboardInterrupt:
        sys.exit(130)
    line = {"bench": workload, "impl": name, "n": n,
            "seconds": round(seconds, 6)}
    print(json.dumps(line | {k: round(v, 4) for k, v in result.items()}))


if __name__ == "__main__":
    main()
