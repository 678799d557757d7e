"""How much a configuration may be, and that the rest is answered meanwhile."""

import pytest

from harness import VarlinkError
from test_configuration import FULL, configuration, names, web

LIMIT = 4096
TOO_MANY = f"there would be {LIMIT + 1}, and there may be up to {LIMIT}; "


def idle(n):
    return [{"name": f"a{number}", "command": ["/bin/true"], "instances": 0}
            for number in range(n)]


def listeners(n):
    return [{"name": f"l{number}", "address": "tcp://127.0.0.1:0", "to": "web"}
            for number in range(n)]


def refusal(inko, method, parameters):
    with pytest.raises(VarlinkError) as error:
        inko.call(method, parameters)
    return error.value.parameters


@pytest.mark.parametrize("content, path", [
    (configuration(*idle(LIMIT + 1)), "actors"),
    (configuration(web(), listeners=listeners(LIMIT + 1)), "listeners"),
])
def test_more_than_there_may_be_are_refused(inko, content, path):
    said = refusal(inko, "Apply", {"configuration": content})
    assert said["path"] == path and said["reason"].startswith(f"{path}: {TOO_MANY}"), said
    assert names(inko) == ([], [])


@pytest.mark.skipif(not FULL, reason="thousands of actors only with INKO_FULL=1")
def test_as_many_actors_as_there_may_be(inko):
    inko.call("Apply", {"configuration": configuration(*idle(LIMIT))}, timeout=300)
    said = refusal(inko, "Spawn", {"name": "more", "command": ["/bin/true"]})
    assert said["reason"] == f"there are {LIMIT} actors already, and may be no more; remove one first"
    # Those that stay count.
    said = refusal(inko, "Apply", {"configuration": configuration(web("more"))})
    assert said["reason"].startswith(f"actors: {TOO_MANY}")
    inko.call("Apply", {"configuration": configuration(*idle(2)), "prune": True}, timeout=300)
    assert names(inko) == (["a0", "a1"], [])


def test_as_many_listeners_as_there_may_be(inko):
    content = configuration(web(instances=0), listeners=listeners(LIMIT))
    inko.call("Apply", {"configuration": content}, timeout=300)
    said = refusal(inko, "Listen", {"address": "tcp://127.0.0.1:0", "to": "web"})
    assert said["reason"] == \
        f"there are {LIMIT} listeners already, and may be no more; close one first"
    assert inko.call("Apply", {"configuration": content}, timeout=300)["changes"] == []
