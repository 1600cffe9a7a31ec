"""The supervisors that services.py measures, each set up as its manual says.

What they run are the services of limit/service.c. None of them has a log of
the services unless `log` says so: then it is files of 10 MB, five old ones.
Restarts come as soon as each allows.
"""

import http.client
import os
import signal
import socket
import subprocess
from pathlib import Path

SIZE = 10_000_000
KEPT = 5


class UnixConnection(http.client.HTTPConnection):
    """HTTP to the control socket of luvisor or supervisord."""

    def __init__(self, path):
        super().__init__("localhost")
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Supervisor:
    """One, in a folder of its own. `services` is {name: argv}."""

    env = {}

    def __init__(self, folder, services, log=None):
        self.dir, self.services, self.log = Path(folder), services, log
        self.configure()

    def launch(self, *argv):
        with open(self.dir / "out", "wb") as out:
            self.process = subprocess.Popen(
                argv, cwd=self.dir, stdin=subprocess.DEVNULL, stdout=out,
                stderr=out, env=os.environ | self.env,
                start_new_session=True)

    def ask_to_end(self):
        self.process.send_signal(signal.SIGTERM)

    def request(self, name):
        """The bytes of a request for the status of a service; or None."""
        return None

    def status(self, name):
        """Ask once as a client does; raise if there is no answer."""
        argv = self.status_command(name)
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)


class Luvisor(Supervisor):
    program = "luvisor"

    def configure(self):
        lines = [
            f'luvisor {{ state_dir = "{self.dir}/state",',
            f'  log = {{ dir = "{self.dir}/log" }}, defaults = {{',
            '    restart = "always", burst = { count = 1000000000 },',
            "    backoff = { initial = 0, jitter = 0 },",
            f"    log = {self.log_table()} }} }}"]
        for name, argv in self.services.items():
            words = ", ".join(f'"{word}"' for word in argv)
            lines.append(f'service "{name}" {{ command = {{ {words} }} }}')
        (self.dir / "luvisor.lua").write_text("\n".join(lines) + "\n")

    def log_table(self):
        if self.log is None:
            return '{ target = "null" }'
        stamps = '"iso"' if self.log == "stamped" else "false"
        return (f'{{ target = "file", max_size = {SIZE}, keep = {KEPT}, '
                f"timestamps = {stamps} }}")

    def start(self):
        self.launch(self.program, "up", "-c", self.dir / "luvisor.lua")

    @property
    def socket(self):
        return self.dir / "state/control.sock"

    def request(self, name):
        return (f"GET /v1/services/{name} HTTP/1.1\r\nHost: localhost\r\n"
                "Connection: close\r\n\r\n").encode()

    def all_request(self):
        return (b"GET /v1/services HTTP/1.1\r\nHost: localhost\r\n"
                b"Connection: close\r\n\r\n")

    def status(self, name):
        connection = UnixConnection(self.socket)
        connection.request("GET", f"/v1/services/{name}")
        assert connection.getresponse().read().find(b"pid") > 0
        connection.close()

    def log_files(self, name):
        return self.dir.glob(f"log/{name}.log*")


class LuvisorFiles(Luvisor):
    """The same, with the log files that it has by default."""

    def log_table(self):
        return "{}"


class Supervisord(Supervisor):
    def configure(self):
        lines = [
            "[supervisord]", "nodaemon=true", f"logfile={self.dir}/log",
            f"pidfile={self.dir}/pid", f"minfds={self.descriptors()}",
            f"childlogdir={self.dir}", "user=root",
            "[unix_http_server]", f"file={self.dir}/control.sock",
            "[rpcinterface:supervisor]",
            "supervisor.rpcinterface_factory = "
            "supervisor.rpcinterface:make_main_rpcinterface"]
        for name, argv in self.services.items():
            lines += [
                f"[program:{name}]",
                "command=" + " ".join(str(word) for word in argv),
                "autorestart=true", "startsecs=0", "startretries=1000000000",
                "redirect_stderr=true", *self.log_lines(name)]
        (self.dir / "supervisord.conf").write_text("\n".join(lines) + "\n")

    def descriptors(self):
        return max(1024, 3 * len(self.services))

    def log_lines(self, name):
        if self.log is None:
            return ["stdout_logfile=NONE"]
        return [f"stdout_logfile={self.dir}/{name}.log",
                f"stdout_logfile_maxbytes={SIZE}",
                f"stdout_logfile_backups={KEPT}"]

    def start(self):
        self.launch("/usr/bin/supervisord", "-c",
                    self.dir / "supervisord.conf")

    @property
    def socket(self):
        return self.dir / "control.sock"

    def call(self, method, params=""):
        body = (f"<?xml version='1.0'?><methodCall><methodName>{method}"
                f"</methodName><params>{params}</params></methodCall>")
        return ("POST /RPC2 HTTP/1.0\r\nHost: localhost\r\n"
                "Content-Type: text/xml\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}").encode()

    def request(self, name):
        return self.call("supervisor.getProcessInfo",
                         f"<param><value><string>{name}</string></value>"
                         "</param>")

    def all_request(self):
        return self.call("supervisor.getAllProcessInfo")

    def status(self, name):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.socket))
            connection.sendall(self.request(name))
            answer = b""
            while b"</methodResponse>" not in answer:
                more = connection.recv(1 << 16)
                assert more, "no answer"
                answer += more

    def log_files(self, name):
        return self.dir.glob(f"{name}.log*")


def write_script(path, line):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def words(argv):
    return " ".join(str(word) for word in argv)


class Runit(Supervisor):
    """A runsv for each service, a svlogd where there is a log."""

    def configure(self):
        for name, argv in self.services.items():
            service = self.dir / "service" / name
            write_script(service / "run", f"exec 2>&1 {words(argv)}")
            if self.log is None:
                continue
            stamp = "-tt " if self.log == "stamped" else ""
            folder = self.dir / "logs" / name
            folder.mkdir(parents=True)
            (folder / "config").write_text(f"s{SIZE}\nn{KEPT + 1}\n")
            write_script(service / "log/run",
                         f"exec svlogd {stamp}-b 65536 {folder}")

    def start(self):
        self.launch("/usr/bin/runsvdir", "-P", self.dir / "service")

    def ask_to_end(self):
        self.process.send_signal(signal.SIGHUP)  # TERM would leave all runsv

    def status_command(self, name):
        return ["/usr/bin/sv", "status", self.dir / "service" / name]

    def log_files(self, name):
        yield from self.dir.glob(f"logs/{name}/current")
        yield from self.dir.glob(f"logs/{name}/@*")


class S6(Supervisor):
    """A s6-supervise for each service, a s6-log where there is a log."""

    def configure(self):
        (self.dir / "scan").mkdir()
        for name, argv in self.services.items():
            service = self.dir / "scan" / name
            write_script(service / "run", f"exec 2>&1 {words(argv)}")
            if self.log is None:
                continue
            stamp = "t " if self.log == "stamped" else ""
            folder = self.dir / "logs" / name
            folder.mkdir(parents=True)
            write_script(service / "log/run",
                         f"exec s6-log -b n{KEPT} s{SIZE} {stamp}{folder}")

    def start(self):
        self.launch("/usr/bin/s6-svscan", "-c", str(2 * len(self.services) + 2),
                    self.dir / "scan")

    def status_command(self, name):
        return ["/usr/bin/s6-svstat", self.dir / "scan" / name]

    log_files = Runit.log_files


known = {"luvisor": Luvisor, "luvisor-files": LuvisorFiles,
         "supervisord": Supervisord, "runit": Runit, "s6": S6}
