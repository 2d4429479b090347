"""Conformance: starts the real binary on a directory of its own and speaks to its public HTTP API,
for the proofs with the Python SDKs. It promises what harness.mjs promises to those in Node."""

import http.client
import json
import os
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime, timedelta, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BINARY = os.environ.get("BELLWETHER", str(ROOT / "target" / "debug" / "bellwether"))


def fact(subject, text):
    """Notes a measured fact for docs/proof.md, and prints it."""
    print(f"{subject}: {text}")
    notes = ROOT / "target" / "proof"
    notes.mkdir(parents=True, exist_ok=True)
    with (notes / "facts.jsonl").open("a") as file:
        file.write(json.dumps({"subject": subject, "text": text}) + "\n")


class Refused(Exception):
    """An API answer that is not a success."""

    def __init__(self, status, body):
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body


class Server:
    """The running product, with its first admin and a key of each scope."""

    def __init__(self, environment="production"):
        self.environment = environment
        self.line = None
        self.data = tempfile.TemporaryDirectory(prefix="bellwether-")
        self.log = tempfile.TemporaryFile()
        ready = self.open("127.0.0.1:0")
        self.headers = {}
        token = urllib.parse.parse_qs(urllib.parse.urlparse(ready["setup"]).query)["token"][0]
        person = {"token": token, "email": "ada@example.com", "name": "Ada", "password": "correct horse battery staple"}
        session, reply = self._send("POST", "/api/setup", person)
        cookie = reply.headers["set-cookie"].split(";")[0]
        self.headers = {"cookie": cookie, "x-csrf-token": session["csrf"]}
        self.keys = {}
        for scope in ("admin", "client", "server"):
            key = {"name": f"{scope} of the proofs", "scope": scope}
            if scope != "admin":
                key["environment"] = environment
            self.keys[scope] = self.call("POST", "/api/keys", key)["secret"]
        self.headers = {"authorization": f"Bearer {self.keys['admin']}"}

    def open(self, listen):
        """Starts the process on its directory and waits until it listens."""
        self.process = subprocess.Popen(
            [BINARY, "serve", "--data", self.data.name, "--listen", listen, "--json"],
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server ended with {self.process.wait()} before it listened")
        ready = json.loads(line)
        self.url = ready["address"]
        return ready

    def kill(self):
        """Ends the process as a loss of power does."""
        self.process.kill()
        self.process.wait(timeout=30)
        self.process.stdout.close()

    def _send(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {**self.headers, **({} if data is None else {"content-type": "application/json"})}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return json.loads(reply.read() or b"null"), reply
        except urllib.error.HTTPError as error:
            raise Refused(error.code, error.read().decode()) from None

    def call(self, method, path, body=None):
        """A call of the product's API with the admin key."""
        return self._send(method, path, body)[0]

    def ask(self, path, body):
        """Asks with JSON and the `server` key on a kept connection, for proofs that ask a hundred thousand times."""
        if self.line is None:
            self.line = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=30)
        headers = {"authorization": f"Bearer {self.keys['server']}", "content-type": "application/json"}
        self.line.request("POST", path, json.dumps(body), headers)
        reply = self.line.getresponse()
        text = reply.read()
        if reply.status != 200:
            raise Refused(reply.status, text.decode())
        return json.loads(text)

    def total(self, event, by=None, measure="totals", since=None):
        """How many events of a type there are; with `by`, for each value of that property. Of today, or `since` a date."""
        today = datetime.now(timezone.utc).date()
        asked = {
            "environment": self.environment,
            "event": event,
            "from": since or str(today - timedelta(days=1)),
            "to": str(today + timedelta(days=1)),
            "limit": 1000,
            "measure": measure,
        }
        if by:
            asked["by"] = by
        answer = self.call("POST", "/api/query/segmentation", asked)
        found = {series["group"]: series["total"] for series in answer["series"] if series["total"]}
        return found if by else found.get(None, 0)

    def stop(self):
        """Ends it cleanly; a server that crashed makes its test fail."""
        if self.line is not None:
            self.line.close()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=30)
        self.process.stdout.close()
        self.log.seek(0)
        log = self.log.read().decode(errors="replace")[-20_000:]
        self.log.close()
        self.data.cleanup()
        if code != 0:
            raise AssertionError(f"the server ended with {code}\n{log}")


class Proof(unittest.TestCase):
    """A test with a server of its own class."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.stop)

    def until(self, ask, within=10.0):
        """Asks until the answer is true, and returns it."""
        deadline = time.monotonic() + within
        while not (answer := ask()):
            if time.monotonic() > deadline:
                self.fail(f"still {answer!r} after {within} s")
            time.sleep(0.01)
        return answer
