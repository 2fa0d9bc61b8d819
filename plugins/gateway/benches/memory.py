#!/usr/bin/env python3
"""Memory of the gateway: what a large upload, a large download and a long stream of events cost beyond an idle server.

usage: memory.py EXECUTABLE [MEBIBYTES=64] [MINUTES=10]

Starts the executable in a directory of its own, with an upstream of this script behind it, and looks at its resident memory
every 100 ms while bodies go through. Each kind of body goes through once before, small, so that what is made once does not
count. The figure to keep is 10 MiB over idle (issue 17). Linux only.
"""
import http.client, http.server, json, os, socket, socketserver, subprocess, sys, tempfile, threading, time

MIB = 1 << 20
EXECUTABLE = os.path.abspath(sys.argv[1])
SIZE = int(sys.argv[2]) if len(sys.argv) > 2 else 64
MINUTES = float(sys.argv[3]) if len(sys.argv) > 3 else 10
PIECE = b"x" * 65536


class Upstream(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def chunk(self, piece):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.flush()

    def do_POST(self):
        n = 0
        while size := int(self.rfile.readline(), 16):
            n += len(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        body = str(n).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        kind, _, amount = self.path.strip("/").partition("/")
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Content-Type", "text/event-stream" if kind == "events" else "text/plain")
        self.end_headers()
        if kind == "events":
            end = time.time() + float(amount)
            while time.time() < end:
                self.chunk(b"data: %f\n\n" % time.time())
                time.sleep(0.05)
        else:
            for _ in range(int(amount) * MIB // len(PIECE)):
                self.chunk(PIECE)
        self.chunk(b"")


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def resident(pid):
    """MiB that are in memory."""
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:")) / 1024


class Watch(threading.Thread):
    """The most memory until it is stopped."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.most, self.on = pid, 0.0, True
        self.start()

    def run(self):
        while self.on:
            self.most = max(self.most, resident(self.pid))
            time.sleep(0.1)

    def stop(self):
        self.on = False
        self.join()
        return self.most


def ask(port, method, path, body=None, token="", chunked=False):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    headers = {"Authorization": token} if token else {}
    if isinstance(body, dict):
        body, headers["Content-Type"] = json.dumps(body), "application/json"
    connection.request(method, path, body=body, headers=headers, encode_chunked=chunked)
    return connection.getresponse()


def upload(port, mib):
    pieces = (PIECE for _ in range(mib * MIB // len(PIECE)))
    answer = ask(port, "POST", "/-/x/up", pieces, chunked=True)
    assert (answer.status, answer.read()) == (200, str(mib * MIB).encode())


def download(port, mib):
    answer, n = ask(port, "GET", f"/-/x/down/{mib}"), 0
    while piece := answer.read(65536):
        n += len(piece)
    assert (answer.status, n) == (200, mib * MIB), (answer.status, n)


def events(port, seconds):
    answer, n, late = ask(port, "GET", f"/-/x/events/{seconds}"), 0, 0.0
    while line := answer.readline():
        if line.startswith(b"data: "):
            n, late = n + 1, max(late, time.time() - float(line[6:]))
    print(f"  {n} events, the latest {late * 1000:.1f} ms late")


def main():
    upstream = Server(("127.0.0.1", 0), Upstream)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as work:
        data, port = os.path.join(work, "pb_data"), free_port()
        login = ["root@example.com", "1234567890"]
        subprocess.run([EXECUTABLE, "superuser", "upsert", *login, "--dir", data], check=True, stdout=subprocess.DEVNULL)
        server = subprocess.Popen([EXECUTABLE, "serve", "--dir", data, "--http", f"127.0.0.1:{port}"], cwd=work, stdout=subprocess.DEVNULL)
        try:
            measure(server.pid, port, upstream.server_port, login)
        finally:
            server.kill()
            server.wait()


def measure(pid, port, upstream, login):
    for _ in range(600):
        try:
            ask(port, "GET", "/api/health").read()
            break
        except OSError:
            time.sleep(0.1)
    said = {"identity": login[0], "password": login[1]}
    token = json.load(ask(port, "POST", "/api/collections/_superusers/auth-with-password", said))["token"]
    record = {"path": "/-/x", "upstream": f"http://127.0.0.1:{upstream}", "accessRule": "true", "maxBodySize": 4096 * MIB}
    made = ask(port, "POST", "/api/collections/_proxies/records", record, token)
    assert made.status == 200, made.read()
    for kind in (upload, download):
        kind(port, 1)
    events(port, 1)
    time.sleep(3)
    idle = resident(pid)
    print(f"idle: {idle:.1f} MiB")
    for name, kind, amount in [
        (f"upload of {SIZE} MiB", upload, SIZE),
        (f"download of {SIZE} MiB", download, SIZE),
        (f"{MINUTES:g} minutes of events", events, MINUTES * 60),
    ]:
        watch = Watch(pid)
        kind(port, amount)
        most = watch.stop()
        verdict = "fine" if most - idle <= 10 else "TOO MUCH"
        print(f"{name}: {most:.1f} MiB at the most, {most - idle:+.1f} over idle: {verdict}", flush=True)


main()
