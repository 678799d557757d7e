"""The interface file and the daemon against each other, over a client that shares no code."""

import re

import pytest

from harness import ACTORS, BUILD, INTERFACE, SOURCE, VarlinkError, wait_until

HELLO = BUILD / "http-hello"
TEXT = (SOURCE / "proto" / f"{INTERFACE}.varlink").read_text()


def split_members(text):
    """Splits 'a: int, b: (x, y)' at the commas outside of parentheses."""
    depth, start, members = 0, 0, []
    for position, character in enumerate(text + ","):
        depth += character in "([" and 1 or character in ")]" and -1 or 0
        if character == "," and depth == 0:
            if text[start:position].strip():
                members.append(text[start:position].strip())
            start = position + 1
    return members


def parse_struct(text):
    """{'name': 'type'} of a struct's inside."""
    return {name.strip(): kind.strip()
            for name, _, kind in (m.partition(":") for m in split_members(text))}


def body_after(text, position):
    """The inside of the parentheses that open at position, and where they end."""
    depth = 0
    for end in range(position, len(text)):
        depth += {"(": 1, ")": -1}.get(text[end], 0)
        if depth == 0:
            return text[position + 1:end], end + 1
    raise AssertionError("parentheses without an end")


def parse_interface(text):
    text = re.sub(r"#.*", "", text)
    types, methods, errors = {}, {}, {}
    for match in re.finditer(r"\b(type|method|error) (\w+) ?\(", text):
        inside, end = body_after(text, match.end() - 1)
        if match[1] == "type":
            types[match[2]] = parse_struct(inside)
        elif match[1] == "error":
            errors[match[2]] = parse_struct(inside)
        else:
            reply, _ = body_after(text, text.index("(", end))
            methods[match[2]] = (parse_struct(inside), parse_struct(reply))
    return types, methods, errors


TYPES, METHODS, ERRORS = parse_interface(TEXT)


def check_type(value, kind, where):
    if kind.startswith("?"):
        if value is None:
            return
        kind = kind[1:]
    if kind.startswith("[]"):
        assert isinstance(value, list), where
        for index, element in enumerate(value):
            check_type(element, kind[2:], f"{where}[{index}]")
    elif kind.startswith("("):
        assert value in split_members(kind[1:-1]), f"{where}: {value}"
    elif kind in TYPES:
        check_struct(value, TYPES[kind], where)
    else:
        expected = {"string": str, "int": int, "bool": bool, "object": dict}[kind]
        assert type(value) is expected, f"{where}: {value!r} is no {kind}"


def check_struct(value, fields, where):
    assert isinstance(value, dict), where
    assert set(value) <= set(fields), f"{where}: not declared: {set(value) - set(fields)}"
    for name, kind in fields.items():
        assert name in value or kind.startswith("?"), f"{where}: {name} is missing"
        check_type(value.get(name), kind, f"{where}.{name}")


def checked_call(inko, method, parameters=None):
    """Calls a method and holds its reply against the interface."""
    reply = inko.call(method, parameters)
    check_struct(reply, METHODS[method][1], method)
    return reply


def test_the_parser_reads_the_interface():
    assert len(METHODS) >= 14 and len(TYPES) >= 5 and len(ERRORS) >= 10
    assert METHODS["Scale"] == ({"actor": "string", "instances": "int"}, {"actor": "Actor"})


def comments(kind):
    """The text above each declaration of a kind, and what it says of each field."""
    said = {}
    for block, name in re.findall(rf"((?:^#.*\n)*)^{kind} (\w+)", TEXT, re.M):
        text = re.sub(r"^# ?", "", block, flags=re.M)
        said[name] = text, dict(re.findall(r"^- (\w+): (.+(?:\n  .+)*)", text, re.M))
    return said


def test_every_field_is_described():
    """What programs read is described where they find its type, each field and each state."""
    fields = {**{name: fields for name, fields in TYPES.items()},
              **{name: {**wanted, **given} for name, (wanted, given) in METHODS.items()}}
    said = {**comments("type"), **comments("method")}
    assert set(said) == set(fields)
    for name, (text, described) in said.items():
        assert list(described) == list(fields[name]), name
        for field, kind in fields[name].items():
            for value in split_members(kind.strip("?")[1:-1]) if "(" in kind else []:
                assert re.search(rf"\b{value}\b", described[field]), f"{name}.{field}: {value}"
        assert text
    assert all(text for text, _ in comments("error").values())
    assert set(comments("error")) == set(ERRORS)


def test_the_manual_names_methods():
    """What --json prints is the reply of one."""
    manual = (SOURCE / "libclient/man/inkoctl.1").read_text()
    section = re.search(r"^\.SH JSON$(.*?)^\.SH", manual, re.M | re.S)[1]
    named = set(re.findall(r"\b(?:Get|List)[A-Z]\w+|\bMonitor\b", section))
    assert named == {m for m in METHODS if re.match("Get|List[A-Z]|Monitor", m)}


def test_replies_are_as_declared(inko):
    """One pass over every method: what comes back has the types that the interface says."""
    called = set()

    def call(method, parameters=None):
        called.add(method)
        return checked_call(inko, method, parameters)

    call("GetStatus")
    call("Spawn", {"name": "web", "command": [str(HELLO)], "instances": 2, "queue": 8,
                   "environment": ["A=b"], "opens": ["web"], "directory": "/tmp",
                   "backoffUSec": 1000, "intensity": 3, "intensityUSec": 1_000_000,
                   "drainUSec": 1_000_000, "stopUSec": 1_000_000, "startUSec": 9_000_000})
    listener = call("Listen", {"address": "tcp://127.0.0.1:0", "to": "web"})["listener"]
    call("Listen", {"address": "tcp://127.0.0.1:0", "give": "web", "name": "given"})
    call("GetStatus")
    call("GetCounters")
    with inko.varlink() as control:
        called.add("Monitor")
        control.send("Monitor", {"after": 0}, more=True)
        for _ in range(5):
            check_struct(control.receive()["parameters"], METHODS["Monitor"][1], "Monitor")
    call("ListActors")
    call("ListListeners")
    assert len(call("ListRoutes")["routes"]) == 2
    assert len(call("GetLogs", {"actor": "web"})["logs"]) == 2
    configuration = call("Export")["configuration"]
    assert {c["action"] for c in call("Apply", {"configuration": configuration})["changes"]} == {
        "change"}
    call("Apply", {"configuration": {}, "dryRun": True, "prune": True})
    call("Send", {"mailbox": "web", "text": "hello"})
    call("Scale", {"actor": "web", "instances": 1})
    call("Restart", {"actor": "web"})
    call("Restart", {"actor": "web", "rolling": True, "maxExtra": 1})
    inko.spawn("quiet", ACTORS / "notifier", reloadCommand=":", drainUSec=1000)
    call("Reload", {"actor": "quiet"})
    call("Remove", {"actor": "quiet"})
    assert call("Pause", {"listener": listener["name"]})["listener"]["state"] == "paused"
    call("Resume", {"listener": listener["name"]})
    call("Stop", {"actor": "web"})
    call("GetStatus")
    call("Start", {"actor": "web"})
    for name in (listener["name"], "given"):
        call("Close", {"listener": name})
    call("Remove", {"actor": "web"})
    call("Upgrade")
    wait_until(lambda: (inko.answers() or {}).get("keeperReplaced") == 1)
    assert called == set(METHODS)


def test_every_method_is_known(inko):
    """Without parameters each one answers or says which parameter it wants, and nothing else."""
    for method, (parameters, _) in METHODS.items():
        required = [n for n, kind in parameters.items() if not kind.startswith("?")]
        try:
            inko.call(method, {})
            assert not required, method
        except VarlinkError as error:
            if method == "Monitor":
                assert error.error == "org.varlink.service.ExpectedMore"
                continue
            assert error.error == "org.varlink.service.InvalidParameter", method
            assert error.parameters == {"parameter": required[0]}


@pytest.mark.parametrize("method, parameters, error", [
    ("Start", {"actor": "nobody"}, "NoSuchActor"),
    ("Stop", {"actor": "nobody"}, "NoSuchActor"),
    ("Restart", {"actor": "nobody"}, "NoSuchActor"),
    ("Scale", {"actor": "nobody", "instances": 2}, "NoSuchActor"),
    ("Remove", {"actor": "nobody"}, "NoSuchActor"),
    ("GetLogs", {"actor": "nobody"}, "NoSuchActor"),
    ("GetCounters", {"actor": "nobody"}, "NoSuchActor"),
    ("Send", {"mailbox": "nobody", "text": ""}, "NoSuchActor"),
    ("Listen", {"address": "tcp://127.0.0.1:0", "to": "nobody"}, "NoSuchActor"),
    ("Close", {"listener": "nothing"}, "NoSuchListener"),
    ("Listen", {"address": "here", "to": "web"}, "InvalidValue"),
    ("Listen", {"address": "tcp://192.0.2.1:80", "to": "web"}, "AddressNotUsable"),
    ("Spawn", {"name": "web", "command": [str(HELLO)]}, "NameInUse"),
    ("Remove", {"actor": "web"}, "StillRouted"),
    ("Spawn", {"name": "other", "command": ["/no/such/program"]}, "NoSuchProgram"),
    ("Spawn", {"name": "a/b", "command": ["/bin/true"]}, "InvalidValue"),
    ("Spawn", {"name": "other", "command": ["/bin/true"]}, "StartFailed"),
])
def test_errors_are_as_declared(inko, method, parameters, error):
    """Every error is declared, with the members it says, and a sentence for a person."""
    inko.spawn("web", HELLO)
    inko.listen("web")
    with pytest.raises(VarlinkError) as caught:
        inko.call(method, parameters)
    assert caught.value.error == f"{INTERFACE}.{error}"
    check_struct(caught.value.parameters, ERRORS[error], error)
    assert len(caught.value.parameters["reason"]) > 10


def test_service_interface(inko):
    info = inko.call("org.varlink.service.GetInfo")
    assert set(info) == {"vendor", "product", "version", "url", "interfaces"}
    assert sorted(info["interfaces"]) == sorted([INTERFACE, "org.varlink.service"])
    assert info["version"] == inko.status()["version"]
    described = inko.call("org.varlink.service.GetInterfaceDescription",
                          {"interface": INTERFACE})
    # With its comments.
    assert described["description"] == TEXT
    described = inko.call("org.varlink.service.GetInterfaceDescription",
                          {"interface": "org.varlink.service"})
    assert "method GetInfo()" in described["description"]
    with pytest.raises(VarlinkError, match="InterfaceNotFound"):
        inko.call("org.varlink.service.GetInterfaceDescription", {"interface": "org.example"})


def test_calls_are_answered_in_order(inko):
    """Several calls in one write: the replies come in their order."""
    inko.spawn("web", HELLO)
    with inko.varlink() as control:
        control.send_bytes(b"".join(
            b'{"method":"%s","parameters":%s}\0' % (method, parameters)
            for method, parameters in (
                (b"io.inkod.Supervisor.Restart", b'{"actor":"web"}'),
                (b"io.inkod.Supervisor.GetLogs", b'{"actor":"web"}'),
                (b"io.inkod.Supervisor.Nothing", b"{}"),
                (b"io.inkod.Supervisor.ListRoutes", b"{}"))))
        assert "actor" in control.receive()["parameters"]
        assert "logs" in control.receive()["parameters"]
        assert control.receive()["error"] == "org.varlink.service.MethodNotFound"
        assert control.receive()["parameters"] == {"routes": []}


def test_oneway_gets_no_reply(inko):
    with inko.varlink() as control:
        control.send("GetStatus", {}, oneway=True)
        control.send("Nothing", {}, oneway=True)
        control.send("ListRoutes", {})
        assert control.receive()["parameters"] == {"routes": []}
