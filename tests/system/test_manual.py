"""The examples of inkoctl(1), run one after the other as they stand there."""

import contextlib
import os
import re
import select
import shutil
import signal
import subprocess
import time

from harness import BUILD, DEADLINE, SOURCE, free_port, nginx_conf, private_inkod, wait_until

MANUAL = SOURCE / "libclient/man/inkoctl.1"
PROXY = "/lib/systemd/systemd-socket-proxyd"

# What an example prints, where that is the same each time. Of others it is enough that they end
# with 0.
SAYS = {
    "inkoctl status": r"inkod \S+ in \S+ \(pids: .*NAME +STATE",
    "inkoctl list": r"^NAME +STATE +ORIGIN +READY +RESTARTS",
    "inkoctl list listeners": r"^LISTENER +ADDRESS",
    "inkoctl --json list routes": r'^{"routes":\[\]}$',
    "inkoctl spawn web --instances 2 -- ./http-hello": r"^web: 2 of 2 instances ready$",
    "inkoctl spawn mailer --drain 1min --directory /srv/mail -- ./mailer":
        r"^mailer: 1 of 1 instances ready$",
    "inkoctl spawn proxy --adapter activation --listener tcp://127.0.0.1:7008 "
    f"--ready-after 300ms -- {PROXY} 192.0.2.7:80": r"^proxy: 1 of 1 instances ready$",
    "inkoctl start web": r"^web: 2 of 2 instances ready$",
    "inkoctl stop mailer": r"^mailer: stopped$",
    "inkoctl restart web": r"^web: 2 of 2 instances ready",
    "inkoctl restart web --rolling --max-extra 2": r"^web: 2 of 2 instances ready",
    "inkoctl reload site": r"^site: ",
    "inkoctl scale web 4": r"^web: 4 of 4 instances ready",
    "inkoctl remove mailer": r"^mailer: removed$",
    "inkoctl listen tcp://127.0.0.1:8080 --to web":
        r"^tcp-127.0.0.1-\d+: listening on tcp://127.0.0.1:\d+, handed to web$",
    "inkoctl listen unix:///run/shop.sock --give shop --name shop":
        r"^shop: listening on unix:///\S+/run/shop.sock, given to shop$",
    "inkoctl pause tcp-127.0.0.1-8080": r"^\S+: paused, who connects waits",
    "inkoctl resume tcp-127.0.0.1-8080": r"^\S+: resumed, accepts again on",
    "inkoctl close tcp-127.0.0.1-8080": r"^\S+: closed$",
    "inkoctl export >/etc/inko/inko.json": r"^$",
    "inkoctl apply /etc/inko/inko.json --dry-run":
        r"^kept by the configuration from now on, as they are: .*actor web\b",
    "inkoctl apply /etc/inko/inko.json": r"^kept by .*^applied$",
    "inkoctl export | inkoctl apply -": r"^nothing to change$",
    "inkoctl send web 'read your files again'": r"^web/\d: the message is in its mailbox$",
    "inkoctl logs web": r"^web/\d \| message: read your files again$",
    "inkoctl counters": r"^NAME +RECEIVED .*^web .*^ENDPOINT +ACCEPTED",
    "inkoctl top web --batch --rounds 2 --delay 500ms": r"^web .*^\d.* ready$.*^web ",
    "inkoctl completion -- stop ''": r"^web\t\w+$",
    "inkoctl help spawn": r"^inkoctl spawn NAME .*--instances N",
}

# These end with Ctrl-C, when there was something to see.
ENDLESS = {
    "inkoctl logs web -f": r"message: read your files again",
    "inkoctl top": r"^web .* ready ",
    "inkoctl monitor": r"  web/\d  is ready",
    "inkoctl --json monitor": r'"event":',
}

# Where an example says that, the test has it elsewhere.
FAKES = {
    "make": "#!/bin/sh\ntest \"$*\" = install\n",
    "ssh": "#!/bin/sh\nwhile [ \"$1\" != root@db.example.org ]; do shift; done\nshift\n"
           "exec sh -c \"$*\"\n",
}


def examples():
    """All of the page, in its order, and those of each verb."""
    text = re.sub(r"\\f.", "", MANUAL.read_text()).replace("\\-", "-")
    text = re.sub(r" \\e\n +", " ", text)
    found, verbs, verb = [], {}, None
    for heading, block in re.findall(r"^\.S[SH] (\S+)|^\.EX\n(.*?)^\.EE", text, re.M | re.S):
        verb = heading or verb
        if not heading:
            found += block.splitlines()
            verbs.setdefault(verb, []).extend(block.splitlines())
    return found, verbs


def furnish(inko, place, site_port):
    """The files that the examples speak of."""
    for name in ("srv/mail", "srv/shop", "etc/inko", "run", "bin"):
        (place / name).mkdir(parents=True)
    for name, text in FAKES.items():
        (place / "bin" / name).write_text(text)
        (place / "bin" / name).chmod(0o755)
    (place / "bin" / "inkoctl").symlink_to(BUILD / "inkoctl")
    (place / "http-hello").symlink_to(BUILD / "http-hello")
    # A program without a directory is looked for where inkoctl is run.
    (place / "mailer").symlink_to(BUILD / "http-hello")
    (place / "srv/shop/shop.py").write_text(
        "import os\nassert os.environ['DATABASE'].endswith('/shop/db')\n"
        f"os.execv('{BUILD}/http-shared', ['http-shared'])\n")
    (place / "bin/nginx").write_text(
        f"#!/bin/sh\nexec {shutil.which('nginx')} -e stderr -c {place}/nginx.conf \"$@\"\n")
    (place / "bin/nginx").chmod(0o755)
    (place / "nginx.conf").write_text(nginx_conf(place, site_port, "hello"))
    (place / "photo.jpeg").write_bytes(bytes(range(256)))
    inko.environment["PATH"] = f"{place}/bin:{inko.environment['PATH']}"


def translate(example, place, ports, runtime):
    for here, there in (("/run/inko", str(runtime)), ("/srv/", f"{place}/srv/"),
                        ("/run/shop", f"{place}/run/shop"), ("/etc/", f"{place}/etc/"),
                        *ports.items()):
        example = example.replace(here, there)
    return example


def is_missing(example):
    """What Debian has, and this machine has not."""
    wants = {"varlinkctl": "varlinkctl", " site": "nginx", " proxy": PROXY}
    return any(word in example and not shutil.which(name) for word, name in wants.items())


def start(inko, place, command):
    return subprocess.Popen(["bash", "-c", command], env=inko.environment, cwd=place,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, start_new_session=True)


def run_endless(inko, process, wanted):
    """Until it has printed what is wanted of it, while something happens."""
    said = ""
    end = time.monotonic() + DEADLINE
    try:
        while not re.search(wanted, said, re.M):
            assert time.monotonic() < end, said
            if select.select([process.stdout], [], [], 0.5)[0]:
                said += os.read(process.stdout.fileno(), 65536).decode()
            else:
                inko.kill(inko.pids("web")[0])
                wait_until(lambda: inko.ready("web"))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        process.wait(DEADLINE)
        process.stdout.close()
    assert process.returncode in (0, -signal.SIGINT), said


def run(process, wanted):
    said, _ = process.communicate(timeout=DEADLINE * 2)
    assert process.returncode == 0, said
    assert re.search(wanted, said, re.M | re.S), said


def test_every_verb_has_an_example():
    help_text = subprocess.run([BUILD / "inkoctl", "help"], capture_output=True, text=True,
                               check=True).stdout
    all_examples, of_verb = examples()
    for verb in re.findall(r"^  (\w+)", help_text.split("\n\n")[1], re.M):
        assert any(re.search(rf"\binkoctl (\S+ )*{verb}\b", one)
                   for one in of_verb.get(verb, [])), verb
    # And what is known of examples is of those that there are.
    assert set(SAYS) | set(ENDLESS) <= set(all_examples)


def test_examples(tmp_path):
    ports = {"8080": str(free_port()), "7007": str(free_port()), "7008": str(free_port()),
             "0.0.0.0:80 ": f"127.0.0.1:{free_port()} "}
    with private_inkod() as inko:
        furnish(inko, tmp_path, ports["0.0.0.0:80 "].rpartition(":")[2].strip())
        inko.settle()
        for example in examples()[0]:
            if is_missing(example):
                continue
            if example.startswith("inkoctl logs"):
                wait_until(lambda: "message: " in inko.ctl("logs", "web").stdout)
            print(f"$ {example}", flush=True)
            process = start(inko, tmp_path, translate(example, tmp_path, ports, inko.runtime))
            if example in ENDLESS:
                run_endless(inko, process, ENDLESS[example])
            else:
                run(process, SAYS.get(example, ""))
