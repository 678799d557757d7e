"""What a person does: start, listen, ask, look, change, stop."""

import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from harness import (ACTORS, BUILD, DEADLINE, INTERFACE, PYTHON, alive, assert_all_answered, curl,
                     fnv1a, free_port, http_get, private_inkod, wait_until)
from installed import install, installed_inkod

HELLO = BUILD / "http-hello"
SHARED = BUILD / "http-shared"
GREETING = "Hello, HTTP!"


def port_of(listener):
    return int(listener["address"].rpartition(":")[2])


def test_spawn_listen_curl(inko):
    port = free_port()
    inko.ctl("spawn", "web", "--instances", "2", "--", HELLO)
    said = inko.ctl("listen", f"tcp://127.0.0.1:{port}", "--to", "web").stdout
    assert str(port) in said
    for _ in range(10):
        assert curl(f"http://127.0.0.1:{port}/") == GREETING
    status = inko.ctl("status").stdout
    for word in ("web", "ready", str(port), "acceptor", *map(str, inko.pids("web"))):
        assert word in status
    assert "web" in inko.ctl("list").stdout
    assert f"tcp://127.0.0.1:{port}" in inko.ctl("list", "listeners").stdout
    route = inko.ctl("list", "routes").stdout
    assert "web" in route and str(port) in route
    inko.ctl("close", f"tcp-127.0.0.1-{port}")
    inko.ctl("remove", "web")
    assert curl(f"http://127.0.0.1:{port}/", check=False).returncode == 7


def test_nothing_is_left_of_an_actor(inko):
    """Its life through and through, again and again: no descriptor of it stays with inkod."""
    inko.listen(inko.spawn("base", HELLO)["name"])
    with inko.leak_check():
        for _ in range(3):
            inko.spawn("web", HELLO, instances=3, opens=["base"])
            port = inko.listen("web", name="front")
            shared = inko.spawn("shared", SHARED)
            given = inko.call("Listen", {"address": "tcp://127.0.0.1:0", "give": "shared"})
            assert http_get(port) == http_get(port_of(given["listener"])) == GREETING
            inko.kill(inko.pids("web")[0])
            wait_until(lambda: inko.restarts("web") == 1 and inko.ready("web"))
            inko.call("Scale", {"actor": "web", "instances": 5})
            inko.call("Restart", {"actor": "web"})
            for name in ("front", given["listener"]["name"]):
                inko.call("Close", {"listener": name})
            for name in ("web", shared["name"]):
                inko.call("Remove", {"actor": name})


def test_status_of_one_actor(inko):
    inko.spawn("web", HELLO)
    inko.spawn("shop", HELLO)
    inko.listen("web", name="front")
    inko.call("Listen", {"address": "tcp://127.0.0.1:0", "give": "shop", "name": "back"})
    for name, listener in (("web", "front"), ("shop", "back")):
        status = inko.json("status", name)
        assert [a["name"] for a in status["actors"]] == [name]
        assert [one["name"] for one in status["listeners"]] == [listener]
        assert status["supervisorPid"] == inko.supervisor_pid()
        shown = inko.ctl("status", name).stdout
        assert f"{name}/0" in shown and listener in shown
    assert "shop" not in inko.ctl("status", "web").stdout
    refused = inko.ctl("status", "wep", check=False)
    assert refused.returncode == 1 and "no actor wep" in refused.stderr


def test_json_is_what_the_socket_says(inko):
    spawned = inko.json("spawn", "web", "--queue", "16", "--", HELLO, "one", "two")["actor"]
    assert spawned["name"] == "web" and spawned["queue"] == 16 and spawned["state"] == "ready"
    assert spawned["command"] == [str(HELLO), "one", "two"]
    listener = inko.json("listen", "tcp://127.0.0.1:0", "--to", "web", "--name", "front",
                         "--balance", "pull", "--hold", "2min")["listener"]
    assert listener["name"] == "front" and listener["balance"] == "pull"
    assert listener["holdUSec"] == 120_000_000 and listener["state"] == "open"
    inko.settle()
    status = inko.json("status")
    assert status == inko.status()
    assert status["runtimeDirectory"] == str(inko.runtime)
    assert status["listeners"] == [listener]
    assert [a for a in status["actors"] if not a["builtin"]] == [spawned]
    assert inko.json("list")["actors"] == status["actors"]
    assert inko.json("list", "listeners")["listeners"] == [listener]
    assert inko.json("list", "routes")["routes"] == [
        {"listener": "front", "address": listener["address"], "actor": "web", "how": "pull"}]
    refused = inko.ctl("--json", "stop", "nobody", check=False)
    assert refused.returncode == 1 and "NoSuchActor" in refused.stdout + refused.stderr


def test_port_zero_is_told(inko):
    inko.spawn("web", HELLO)
    first = inko.json("listen", "tcp://127.0.0.1:0", "--to", "web")["listener"]
    second = inko.json("listen", "tcp://127.0.0.1:0", "--to", "web")["listener"]
    assert port_of(first) != port_of(second) and first["name"] != second["name"]
    for listener in (first, second):
        assert str(port_of(listener)) in listener["name"]
        assert http_get(port_of(listener)) == GREETING


def test_ipv6(inko):
    inko.spawn("web", HELLO)
    listener = inko.json("listen", "tcp://[::1]:0", "--to", "web")["listener"]
    assert listener["address"].startswith("tcp://[::1]:")
    assert curl("-g", f"http://[::1]:{port_of(listener)}/") == GREETING
    with pytest.raises(ConnectionRefusedError):
        http_get(port_of(listener), host="127.0.0.1")


def test_localhost(inko):
    inko.spawn("web", HELLO)
    listener = inko.json("listen", "tcp://localhost:0", "--to", "web")["listener"]
    assert http_get(port_of(listener)) == GREETING


def test_unix_listener(inko):
    path = inko.directory / "web.sock"
    inko.spawn("web", HELLO)
    name = inko.json("listen", f"unix://{path}", "--to", "web")["listener"]["name"]
    assert path.is_socket()
    assert curl("--unix-socket", path, "http://localhost/") == GREETING
    inko.ctl("close", name)
    assert not path.exists()
    again = inko.json("listen", f"unix://{path}", "--to", "web")["listener"]
    assert http_get(path=path) == GREETING
    assert again["name"] == name


def test_unix_listener_is_gone_after_the_stop(inko):
    path = inko.directory / "web.sock"
    inko.spawn("web", HELLO)
    inko.ctl("listen", f"unix://{path}", "--to", "web")
    assert path.is_socket()
    assert inko.stop() == 0
    assert not path.exists()


def test_give_shares_the_listener(inko):
    """Four processes accept from one listener by themselves."""
    inko.ctl("spawn", "shared", "--instances", "4", "--", SHARED)
    port = port_of(inko.json("listen", "tcp://127.0.0.1:0", "--give", "shared")["listener"])
    assert_all_answered(inko.load(port, connections=2000).report(), at_least=2000)
    assert inko.json("list", "routes")["routes"][0]["how"] == "give"
    # They hold it: it works while three of them are dead and not yet back.
    inko.kill(inko.supervisor_pid(), signal.SIGSTOP)
    shared = [pid for pid, name in inko.processes().items() if "http-shared" in name]
    assert len(shared) == 4
    for pid in shared[:3]:
        inko.kill(pid)
    assert_all_answered(inko.load(port, connections=200).report(), at_least=200)
    supervisor = [p for p, name in inko.processes().items() if name == "inko-supervisor"]
    inko.kill(supervisor[0], signal.SIGCONT)
    wait_until(lambda: inko.ready("shared"), what="all four are back")


def test_give_ends_with_the_listener(inko):
    inko.spawn("shared", SHARED, instances=2)
    listener = inko.json("listen", "tcp://127.0.0.1:0", "--give", "shared")["listener"]
    pids = inko.pids("shared")
    assert http_get(port_of(listener)) == GREETING
    inko.ctl("close", listener["name"])
    with pytest.raises(ConnectionRefusedError):
        http_get(port_of(listener))
    inko.ctl("stop", "shared")
    assert not any(alive(pid) for pid in pids)


def test_scale(inko):
    record = inko.record()
    inko.ctl("spawn", "web", "--", ACTORS / "recorder", "--record", record)
    port = inko.listen("web")
    load = inko.load(port, clients=16, until_stopped=True)
    for count in (4, 2, 6, 1):
        inko.ctl("scale", "web", count)
        assert len(inko.pids("web")) == count and inko.ready("web")
    inko.ctl("scale", "web", "3")
    seen = wait_until_served_by(port, 3)
    assert_all_answered(load.report(), at_least=500)
    assert seen == {f"web/{n}" for n in range(3)}


def wait_until_served_by(port, count):
    seen = set()

    def served():
        seen.add(http_get(port).split()[0])
        return len(seen) == count

    wait_until(served, what=lambda: f"{count} instances served: {seen}")
    return seen


def test_scale_to_nothing_and_back(inko):
    inko.spawn("web", ACTORS / "recorder")
    port = inko.listen("web")
    inko.ctl("scale", "web", "0")
    assert inko.pids("web") == []
    load = inko.load(port, clients=20, connections=20)
    inko.ctl("scale", "web", "1")
    assert_all_answered(load.report(), at_least=20)


def test_restart_under_load(inko):
    """Every process is another one afterwards, and no client noticed."""
    inko.spawn("web", ACTORS / "recorder", instances=3)
    port = inko.listen("web")
    before = inko.pids("web")
    load = inko.load(port, until_stopped=True)
    with inko.leak_check():
        for _ in range(3):
            inko.ctl("restart", "web")
        time.sleep(0.2)
        report = load.report()
    assert_all_answered(report, at_least=1000)
    after = inko.pids("web")
    assert len(after) == 3 and not set(before) & set(after)
    assert not any(alive(pid) for pid in before)


def test_stop_and_start(inko):
    inko.spawn("web", HELLO)
    port = inko.listen("web")
    pids = inko.pids("web")
    inko.ctl("stop", "web")
    assert inko.actor("web")["state"] == "stopped" and not any(alive(p) for p in pids)
    answers = []
    client = threading.Thread(target=lambda: answers.append(http_get(port)))
    client.start()
    time.sleep(0.3)
    assert not answers
    inko.ctl("start", "web")
    client.join(DEADLINE)
    assert answers == [GREETING]
    inko.ctl("start", "web")
    assert inko.actor("web")["state"] == "ready"


def test_close_serves_what_it_accepted(inko):
    record = inko.record()
    inko.spawn("web", ACTORS / "recorder", "--record", record, "--delay", "10")
    port = inko.listen("web", name="front")
    load = inko.load(port, clients=50, connections=50)
    wait_until(lambda: record.count("begin") > 0)
    inko.ctl("close", "front")
    assert_all_answered(load.report(), at_least=50)
    with pytest.raises(ConnectionRefusedError):
        http_get(port)
    assert inko.status()["listeners"] == []


def test_remove(inko):
    inko.spawn("web", HELLO, instances=2)
    inko.listen("web", name="front")
    pids = inko.pids("web")
    refused = inko.ctl("remove", "web", check=False)
    assert refused.returncode == 1 and "front" in refused.stderr
    assert inko.pids("web") == pids
    inko.ctl("close", "front")
    inko.ctl("remove", "web")
    assert "web" not in [a["name"] for a in inko.status()["actors"]]
    assert not any(alive(pid) for pid in pids)
    for kind in ("notify", "log"):
        assert not list((inko.runtime / kind).glob("web*"))
    wait_until(lambda: not list((inko.runtime / "nng").glob("web*")))


def test_second_inkod_is_refused(inko):
    before = inko.picture()
    second = subprocess.run([BUILD / "inkod"], env=inko.environment, capture_output=True,
                            text=True, timeout=DEADLINE)
    assert second.returncode == 1
    assert str(inko.runtime) in second.stderr
    assert inko.picture() == before


def test_runtime_dir_option(inko):
    """The option counts more than the environment, for both programs."""
    other = inko.directory / "other"
    environment = dict(inko.environment, INKO_RUNTIME_DIR=str(inko.directory / "wrong"))
    daemon = subprocess.Popen([BUILD / "inkod", "--runtime-dir", other], env=environment,
                              stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: inko.ctl("--runtime-dir", other, "status", check=False).returncode == 0,
                   what="the other inkod answers")
        said = inko.json("--runtime-dir", other, "status")
        assert said["runtimeDirectory"] == str(other)
        assert said["supervisorPid"] != inko.supervisor_pid()
    finally:
        daemon.terminate()
        assert daemon.wait(DEADLINE) == 0
    assert not other.exists()
    gone = inko.ctl("--runtime-dir", other, "status", check=False)
    assert gone.returncode == 3 and str(other) in gone.stderr


def test_logs(inko):
    program = inko.directory / "talker"
    program.write_text("#!/bin/sh\necho to stdout\necho to stderr >&2\n"
                       f"exec {HELLO}\n")
    program.chmod(0o755)
    inko.spawn("talker", program, instances=2)
    said = inko.ctl("logs", "talker").stdout
    assert said.count("to stdout") == 2 and said.count("to stderr") == 2


def test_logs_of_one_instance(inko):
    inko.spawn("web", HELLO, instances=2)
    said = {inko.call("Send", {"mailbox": "web", "text": text})["instance"]: text
            for text in ("one", "another")}
    assert set(said) == {"web/0", "web/1"}
    for name, text in said.items():
        wait_until(lambda: inko.ctl("logs", name).stdout == f"message: {text}\n")
    gone = inko.ctl("logs", "web/9", check=False)
    assert gone.returncode == 1 and "no instance web/9" in gone.stderr
    assert "no actor other" in inko.ctl("logs", "other/0", check=False).stderr


def test_logs_follow(inko):
    program = inko.directory / "talker"
    go = inko.directory / "go"
    program.write_text(f"#!/bin/sh\necho first\n(until [ -e {go} ]; do sleep 0.02; done; "
                       f"echo second) &\nexec {HELLO}\n")
    program.chmod(0o755)
    inko.spawn("talker", program)
    follower = subprocess.Popen([BUILD / "inkoctl", "logs", "-f", "talker"],
                                env=inko.environment, stdout=subprocess.PIPE, text=True)
    try:
        lines = []
        reader = threading.Thread(target=lambda: lines.extend(iter(follower.stdout.readline, "")))
        reader.start()
        wait_until(lambda: any("first" in line for line in lines))
        assert not any("second" in line for line in lines)
        go.touch()
        wait_until(lambda: any("second" in line for line in lines))
        inko.kill(inko.supervisor_pid())
        wait_until(inko.answers)
        inko.ctl("restart", "talker")
        wait_until(lambda: sum("first" in line for line in lines) == 2,
                   what=lambda: f"the next life is followed too: {lines}")
    finally:
        follower.send_signal(signal.SIGINT)
        code = follower.wait(DEADLINE)
        reader.join(DEADLINE)
        follower.stdout.close()
    assert code in (0, 130, -signal.SIGINT)


def test_send(inko):
    record = inko.record()
    inko.spawn("web", ACTORS / "recorder", "--record", record)
    assert "web/0" in inko.ctl("send", "web", "hello there").stdout
    inko.ctl("send", "web", "grüße")
    inko.ctl("send", "web", input=b"from stdin\n")
    binary = bytes(range(256)) * 40
    inko.ctl("send", "web", input=binary)
    inko.ctl("send", "web", input=b"")
    sent = [b"hello there", "grüße".encode(), b"from stdin\n", binary, b""]
    wait_until(lambda: record.count("message") == len(sent))
    assert record.messages() == [(len(data), fnv1a(data)) for data in sent]


def test_send_to_nobody(inko):
    missing = inko.ctl("send", "web", "text", check=False)
    assert missing.returncode == 1 and "web" in missing.stderr
    inko.spawn("web", ACTORS / "recorder")
    inko.ctl("stop", "web")
    stopped = inko.ctl("send", "web", "text", check=False)
    assert stopped.returncode == 1 and "web" in stopped.stderr


def test_send_until_full(inko):
    """A mailbox that nobody reads is full at some point, and says so; nothing is dropped."""
    gate, record = inko.directory / "gate", inko.record()
    inko.spawn("web", ACTORS / "recorder", "--gate", gate, "--record", record, queue=16)
    sent = 0
    while inko.ctl("send", "web", f"message {sent}", check=False).returncode == 0:
        sent += 1
        assert sent <= 16
    assert sent >= 8
    gate.touch()
    wait_until(lambda: record.count("message") == sent)
    assert record.messages() == [(len(t), fnv1a(t.encode())) for t in
                                 (f"message {n}" for n in range(sent))]


def test_spawn_environment(inko):
    inko.environment["SECRET_OF_INKOD"] = "1"
    inko.ctl("spawn", "web", "--env", "COLOUR=deep blue", "--env", "EMPTY=", "--", HELLO)
    pid = inko.pids("web")[0]
    with open(f"/proc/{pid}/environ", encoding="utf-8") as file:
        environment = dict(e.split("=", 1) for e in file.read().split("\0") if e)
    assert environment["COLOUR"] == "deep blue" and environment["EMPTY"] == ""
    assert environment["INKO_INSTANCE"] == "web/0"
    assert environment["INKO_RUNTIME_DIR"] == str(inko.runtime)
    assert environment["LISTEN_PID"] == str(pid)
    assert "SECRET_OF_INKOD" not in environment


def test_spawn_gives_nothing_else(inko):
    """An actor finds /dev/null, its log and what the contract names; its own session; /."""
    program = inko.directory / "look"
    program.write_text("#!/bin/sh\nls -l /proc/$$/fd\nexec " + str(HELLO) + "\n")
    program.chmod(0o755)
    inko.spawn("web", program)
    pid = inko.pids("web")[0]
    assert os.getsid(pid) == pid
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"
    assert os.readlink(f"/proc/{pid}/fd/1") == os.readlink(f"/proc/{pid}/fd/2")
    with open(f"/proc/{pid}/environ", encoding="utf-8") as file:
        environment = dict(e.split("=", 1) for e in file.read().split("\0") if e)
    given = int(environment["LISTEN_FDS"])
    assert len(environment["LISTEN_FDNAMES"].split(":")) == given
    listed = re.findall(r" (\d+) -> (\S+)", inko.ctl("logs", "web").stdout)
    # The shell itself has its script open, as 10 or above.
    others = [entry for entry in listed if 3 + given <= int(entry[0])
              and str(program) not in entry[1]]
    assert not others, listed


def test_spawn_directory(inko):
    inko.ctl("spawn", "web", "--directory", inko.directory, "--", HELLO)
    assert os.readlink(f"/proc/{inko.pids('web')[0]}/cwd") == str(inko.directory)


def test_spawn_searches_path(inko):
    spawned = inko.json("spawn", "web", "--", "sh", "-c", f"exec {HELLO}")["actor"]
    assert os.path.isabs(spawned["command"][0]) and spawned["command"][0].endswith("/sh")
    refused = inko.ctl("spawn", "other", "--", "http-goodbye", check=False)
    assert refused.returncode == 1 and "http-goodbye" in refused.stderr


def test_questions_and_answers(inko):
    """Two actors, the one opens the other: questions, answers and the sockets in them."""
    inko.spawn("answer", ACTORS / "answer", instances=2)
    inko.ctl("spawn", "ask", "--opens", "answer", "--", ACTORS / "ask", "answer", "500")
    status = wait_until(lambda: inko.instances("ask")[0].get("status"), what="ask is through")
    assert status == "500 answered"


def test_questions_before_anybody_answers(inko):
    """The one that is opened may have gone and come back, and be killed meanwhile."""
    inko.spawn("answer", ACTORS / "answer")
    inko.ctl("stop", "answer")
    inko.spawn("ask", ACTORS / "ask", "answer", "100", opens=["answer"])
    assert not inko.instances("ask")[0].get("status")
    inko.ctl("remove", "answer")
    inko.spawn("answer", ACTORS / "answer")
    status = wait_until(lambda: inko.instances("ask")[0].get("status"), what="ask is through")
    assert status == "100 answered"


def test_questions_need_permission(inko):
    """Without --opens there is no way to the other's mailbox."""
    inko.spawn("answer", ACTORS / "answer")
    inko.spawn("ask", ACTORS / "ask", "answer", "1")
    time.sleep(0.5)
    assert not (inko.instances("ask")[0].get("status") or "").endswith("answered")


def test_inkoctl_in_the_next_line(inko):
    """As it is typed, and as scripts do: inkod &, and inkoctl at once, which may be the faster."""
    inko.stop()
    with subprocess.Popen([BUILD / "inkoctl", "status"], env=inko.environment,
                          stdout=subprocess.DEVNULL) as early:
        time.sleep(0.1)
        inko.start()
        assert early.wait(DEADLINE) == 0


def silence(inko):
    """What inkoctl says when nobody answers."""
    said = inko.ctl("status", check=False, timeout=DEADLINE)
    assert said.returncode == 3 and said.stdout == "" and said.stderr.count("\n") == 1, said
    assert "its supervisor does not answer" in said.stderr
    return said.stderr


def test_who_is_stopped_is_told(inko):
    """With the command that lets it go on."""
    keeper, supervisor = inko.keeper.pid, inko.supervisor_pid()
    inko.kill(supervisor, signal.SIGSTOP)
    said = silence(inko)
    assert f"the process (pid {supervisor}) is stopped" in said and said.count("supervisor") == 1
    inko.kill(keeper, signal.SIGSTOP)
    command = re.search("'(kill -CONT .*?)'", silence(inko))[1]
    assert command.split()[2:] == [str(keeper), str(supervisor)]
    subprocess.run(command, shell=True, check=True)
    assert inko.supervisor_pid() == supervisor
    # Only the keeper is left, and there is another inkod that it could be confused with.
    with private_inkod() as other:
        inko.kill(keeper, signal.SIGSTOP)
        inko.kill(supervisor)
        said = silence(inko)
        assert f"'kill -CONT {keeper}'" in said and f"{supervisor}" not in said
        assert str(other.keeper.pid) not in said
    inko.kill(keeper, signal.SIGCONT)
    wait_until(inko.answers)


def test_a_supervisor_that_hangs_is_told(tmp_path):
    with installed_inkod(tmp_path) as inko:
        install(tmp_path, "inko-supervisor", f"#!{PYTHON}\nimport signal\nsignal.pause()\n")
        former = inko.supervisor_pid()
        inko.kill(former)
        hanging = wait_until(lambda: [pid for pid, name in inko.processes().items()
                                      if name == "inko-supervisor" and pid != former])[0]
        said = silence(inko)
        install(tmp_path, "inko-supervisor")
        subprocess.run(re.search("'(kill -KILL .*?)'", said)[1], shell=True, check=True)
        assert wait_until(inko.answers)["supervisorPid"] != hanging


def test_a_supervisor_that_holds_all_is_not_to_be_killed(inko):
    """One that hangs and has no keeper is all that there is of inkod."""
    directory = inko.directory / "other"
    directory.mkdir()
    program = directory / "inko-supervisor"
    program.write_text(
        f"#!{PYTHON}\nimport signal, socket\nlock = open('{directory}/lock', 'w')\n"
        f"s = socket.socket(socket.AF_UNIX)\ns.bind('{directory}/{INTERFACE}')\ns.listen()\n"
        "signal.pause()\n")
    program.chmod(0o755)
    with subprocess.Popen([program]) as hanging:
        wait_until((directory / INTERFACE).exists)
        said = inko.ctl("--runtime-dir", directory, "status", check=False, timeout=DEADLINE)
        hanging.kill()
    assert said.returncode == 3 and "does not answer" in said.stderr and "kill" not in said.stderr


def test_started_by_hand_is_no_actor(inko):
    """An actor's program without inkod says what is missing and ends."""
    environment = {k: v for k, v in inko.environment.items() if k != "INKO_RUNTIME_DIR"}
    result = subprocess.run([HELLO], env=environment, capture_output=True, text=True,
                            timeout=DEADLINE)
    assert result.returncode != 0 and result.stderr


def test_systemd_notify_actor(inko):
    """Any program that systemd could run is an actor: here one of three lines."""
    program = inko.directory / "service"
    program.write_text("#!/bin/sh\nsystemd-notify --ready --status='all is well'\n"
                       "exec sleep 1000\n")
    program.chmod(0o755)
    actor = inko.spawn("service", program, drainUSec=100_000)
    assert actor["state"] == "ready"
    wait_until(lambda: inko.instances("service")[0].get("status") == "all is well")
    inko.ctl("stop", "service")


def test_slow_start_is_waited_for(inko):
    program = inko.directory / "slow"
    program.write_text(f"#!/bin/sh\nsleep 0.5\nexec {HELLO}\n")
    program.chmod(0o755)
    started = time.monotonic()
    inko.ctl("spawn", "web", "--", program)
    assert time.monotonic() - started >= 0.5 and inko.ready("web")


def test_start_timeout(inko):
    """A program that never says that it is ready is no actor; nothing of it remains."""
    before = inko.picture()
    refused = inko.ctl("spawn", "web", "--start", "300ms", "--", "sleep", "1000", check=False)
    assert refused.returncode == 1 and "web" in refused.stderr
    assert [a for a in inko.picture()["actors"] if not a["builtin"]] == \
        [a for a in before["actors"] if not a["builtin"]]
    assert "sleep" not in inko.processes().values()


def test_stubborn_actor_is_killed(inko):
    """One that ignores stop and SIGTERM ends at its deadlines."""
    program = inko.directory / "stubborn"
    program.write_text("#!/bin/sh\ntrap '' TERM\nsystemd-notify --ready\n"
                       "while :; do sleep 0.05; done\n")
    program.chmod(0o755)
    inko.ctl("spawn", "web", "--drain", "100ms", "--stop", "100ms", "--", program)
    pid = inko.pids("web")[0]
    inko.ctl("stop", "web")
    assert not alive(pid)
    assert "KILL" in inko.instances("web")[0]["lastExit"]


def test_stop_ends_what_the_actor_started(inko):
    """Its whole process group goes with it."""
    program = inko.directory / "parent"
    program.write_text(f"#!/bin/sh\nsleep 1000 &\nexec {HELLO}\n")
    program.chmod(0o755)
    inko.spawn("web", program)
    assert "sleep" in inko.processes().values()
    inko.ctl("stop", "web")
    wait_until(lambda: "sleep" not in inko.processes().values())


def test_pull_balances_by_itself(inko):
    """One slow instance takes what it can; the others take the rest."""
    record = inko.record()
    inko.spawn("web", ACTORS / "recorder", "--record", record, "--delay", "5", instances=3)
    port = inko.listen("web", balance="pull")
    assert_all_answered(inko.load(port, clients=30, connections=300).report(), at_least=300)
    served = [line[1] for line in record.lines() if line[0] == "end"]
    assert {name: served.count(name) > 50 for name in set(served)} == {
        f"web/{n}": True for n in range(3)}


def test_round_robin_is_even(inko):
    record = inko.record()
    inko.spawn("web", ACTORS / "recorder", "--record", record, instances=3)
    port = inko.listen("web")
    for _ in range(60):
        http_get(port)
    served = [line[1] for line in record.lines() if line[0] == "begin"]
    assert [served.count(f"web/{n}") for n in range(3)] == [20, 20, 20]


def test_two_listeners_one_actor(inko):
    inko.spawn("web", HELLO)
    ports = [inko.listen("web") for _ in range(5)]
    assert [http_get(port) for port in ports] == [GREETING] * 5


def test_many_actors(inko):
    """Twenty actors with a listener each: all come, all answer, all go."""
    ports = {}
    for number in range(20):
        inko.spawn(f"a{number}", ACTORS / "recorder")
        ports[f"a{number}"] = inko.listen(f"a{number}")
    for name, port in ports.items():
        assert http_get(port).startswith(f"{name}/0 ")


def test_python_client_keeps_its_connection(inko):
    """Once it is handed over nothing of inkod stands in its path: it outlives all but its actor."""
    inko.spawn("web", ACTORS / "recorder")
    port = inko.listen("web")
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as client:
        wait_until(lambda: holds_connection(inko.pids("web")[0], client.getsockname()[1]))
        inko.kill(inko.pids("acceptor")[0])
        inko.kill(inko.supervisor_pid())
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert b"web/0" in client.recv(1000)


def holds_connection(pid, port):
    """Is one of the process's descriptors the server's end of the client on that port?"""
    inodes = set()
    with open("/proc/net/tcp", encoding="ascii") as table:
        for line in table.readlines()[1:]:
            fields = line.split()
            if fields[2].endswith(f":{port:04X}"):
                inodes.add(f"socket:[{fields[9]}]")
    targets = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            targets.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
        except FileNotFoundError:
            pass
    return bool(inodes & targets)


def test_interpreter_is_an_actor(inko):
    """No library is needed to be ready: one datagram is."""
    code = ("import os, socket, time\n"
            "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
            "s.sendto(b'READY=1\\nSTATUS=by hand', os.environ['NOTIFY_SOCKET'])\n"
            "time.sleep(1000)\n")
    inko.spawn("by-hand", PYTHON, "-c", code, drainUSec=100_000)
    assert inko.instances("by-hand")[0]["status"] == "by hand"
