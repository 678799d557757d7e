"""What goes on while things die: HTTP clients, and a program of nng that pushes messages."""

import subprocess

from harness import BUILD, wait_until

PUSH = BUILD / "tests" / "matrix" / "push"
# Addresses that clients come from: their names are used once, 50 000 for each.
SOURCES = 100


class Pusher:
    def __init__(self, url):
        self.process = subprocess.Popen([str(PUSH), "--dial", url], stdout=subprocess.PIPE,
                                        text=True)

    def stop(self):
        """Stops sending, and returns when nng took each message, by number. What nng still has goes
        on its way until end."""
        self.process.terminate()
        lines = self.process.stdout.read().splitlines()
        return [int(line.split()[1]) for line in lines]

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Traffic:
    def __init__(self, service, port, record, clients):
        self.record = record.path
        self.offset = self.record.stat().st_size if self.record.exists() else 0
        self.pusher = Pusher(service.actor("web")["endpoint"])
        self.load = service.load(port, clients=clients, until_stopped=True, sources=SOURCES)

    def wait_until_it_flows(self):
        """From now on at least one connection and one message have been received."""
        missing = {b"begin ", b"message "}
        with open(self.record, "rb") as record:
            record.seek(0, 2)

            def flows():
                data = record.read()
                missing.difference_update([word for word in missing if word in data])
                return not missing

            wait_until(flows, what=lambda: f"traffic flows: no {missing} in the record")

    def stop(self):
        """The load's report, and when each message was sent; messages may still be on their way."""
        return self.load.report(), self.pusher.stop()

    def end(self):
        self.load.end()
        self.pusher.end()
