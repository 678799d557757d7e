"""PROTOCOL.md says what the headers say: what can drift apart is read from both and compared."""

import re
import struct

import pytest

from harness import SOURCE

PROTO = SOURCE / "proto"
SIZES = {"uint8_t": 1, "uint16_t": 2, "uint32_t": 4, "uint64_t": 8, "char": 1}
# Of inkod's own, between its processes: no program has to know them.
PRIVATE_LIMITS = {"LIMIT_UNREAD_BYTES", "LIMIT_STATE_BYTES", "LIMIT_KEY_CHARS", "LIMIT_KEY_FDS"}


def table(text, heading):
    """The rows of the table whose first column has this heading, as lists of cells."""
    lines = iter(text.splitlines())
    assert any(line.startswith(f"| {heading} |") for line in lines), heading
    next(lines)
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().strip("`") for cell in line.strip("|").split("|")])
    return rows


def evaluate(expression, known):
    """A C constant, as far as limits.h and envelope.h need it."""
    expression = re.sub(r"(?<=\d)[uUlL]+\b", "", expression)
    expression = re.sub(r"\b[A-Z]\w+", lambda found: str(known[found[0]]), expression)
    assert re.fullmatch(r"[\d\s()+*<-]+", expression), expression
    return eval(expression)


@pytest.fixture(scope="module")
def document():
    return (PROTO / "PROTOCOL.md").read_text()


@pytest.fixture(scope="module")
def limits():
    known = {}
    text = (PROTO / "limits.h").read_text()
    for name, expression in re.findall(r"^#define (\w+) (.+)$", text, re.M):
        known[name] = evaluate(expression, known)
    return known


@pytest.fixture(scope="module")
def header():
    return re.sub(r"/\*.*?\*/", "", (PROTO / "envelope.h").read_text(), flags=re.S)


def fields_of(header, limits, struct_name="envelope", sizes=SIZES):
    """Offset, size and name of each field; and the size of all, as the ABI of Linux has it."""
    body = re.search(rf"struct {struct_name} \{{(.*?)\n\}}", header, re.S)[1]
    offset, alignment, fields = 0, 1, []
    for statement in filter(None, map(str.strip, body.split(";"))):
        type_, names = re.fullmatch(r"((?:struct )?\w+)\s+(.*)", statement, re.S).groups()
        for name, count in re.findall(r"(\w+)(?:\[(.+?)\])?(?:,|$)", names):
            offset += -offset % min(sizes[type_], 8)
            alignment = max(alignment, min(sizes[type_], 8))
            size = sizes[type_] * (evaluate(count, limits) if count else 1)
            fields.append((offset, size, name))
            offset += size
    return fields, offset + -offset % alignment


def test_counters(document, limits):
    header = re.sub(r"/\*.*?\*/", "", (PROTO / "counters.h").read_text(), flags=re.S)
    known = {**limits, **{name: int(number) for name, number in
                          re.findall(r"^#define (\w+) (\d+)$", header, re.M)}}
    row, row_size = fields_of(header, known, "counters_row")
    page, size = fields_of(header, known, "counters_page",
                           {**SIZES, "struct counters_row": row_size})
    for fields, heading in ((row, "Row offset"), (page, "Page offset")):
        rows = table(document, heading)
        assert [(int(cells[0]), int(cells[1]), cells[2]) for cells in rows] == fields
    assert table(document, "Page offset")[0][3] == str(known["COUNTERS_VERSION"])
    assert f"memfd of {size} bytes" in document
    assert f"{known['COUNTERS_BUCKETS']} numbers" in document
    assert f"{known['COUNTERS_ROWS']} rows of {row_size} bytes" in document


def numbers_of(header, enum, prefix):
    body = re.search(rf"enum {enum} \{{(.*?)\}}", header, re.S)[1]
    return {name[len(prefix):].lower(): int(number)
            for name, number in re.findall(r"(\w+) = (\d+)", body)}


def numbers_in(document, heading):
    return {row[1]: int(row[0]) for row in table(document, heading)}


def test_envelope(document, header, limits):
    fields, size = fields_of(header, limits)
    rows = table(document, "Offset")
    assert [(int(row[0]), int(row[1]), row[2]) for row in rows] == fields
    assert f"sizeof(struct envelope) == {size}," in header
    assert f"starts with these {size} bytes" in document
    version = re.search(r"#define ENVELOPE_VERSION (\d+)", header)[1]
    assert rows[0][3] == version


def test_struct_format(document, header, limits):
    fields, size = fields_of(header, limits)
    layout = re.search(r"struct module it is `(.*?)`", document)[1]
    assert struct.calcsize(layout) == size
    example = (SOURCE / "libclient" / "examples" / "http-hello.py").read_text()
    assert f'struct.Struct("{layout}")' in example


def test_kinds(document, header):
    assert numbers_in(document, "Kind") == numbers_of(header, "envelope_kind", "ENVELOPE_")


def test_flags(document, header):
    assert numbers_in(document, "Flag") == numbers_of(header, "envelope_flag", "ENVELOPE_")


def test_limits(document, limits):
    told = {row[2]: int(row[1]) for row in table(document, "Limit")}
    assert told == {name: value for name, value in limits.items() if name not in PRIVATE_LIMITS}


def test_limits_in_words(document, limits):
    """Where the text says a number that is in the table too."""
    assert f"CMSG_SPACE({limits['LIMIT_SOCKETS']} * sizeof(int))" in document
    assert f"`length`\nis at most {limits['LIMIT_INLINE_BODY_BYTES']}" in document
    assert f"at most {limits['LIMIT_BODY_BYTES'] >> 20} MiB" in document
    assert f"1 to {limits['LIMIT_NAME_CHARS']} letters" in document
