#!/usr/bin/python3
"""http-hello.c without libinko: Python and proto/PROTOCOL.md."""

import array
import contextlib
import fcntl
import os
import select
import selectors
import socket
import struct
import sys

HEAD = struct.Struct("=BBBBIQQHHI16s64s")
MESSAGE, CONNECTION, LANE, STOP, ANSWER = 1, 2, 4, 5, 6
BODY_MEMFD, LANE_IN, LANE_SHARED = 1, 2, 8
SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
CONTROL_BYTES = socket.CMSG_SPACE(253 * 4) + 1024
PATIENCE = 2  # seconds for which a client that sends nothing may hold up the others
REPLY = (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n"
         b"Connection: close\r\n\r\nHello, HTTP!")


def answer(client):
    with client:
        client.settimeout(PATIENCE)
        with contextlib.suppress(OSError):
            if client.recv(4096):
                client.sendall(REPLY)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)


def make_sure_of_room(lane):
    """The kernel closes what finds no room. To end is better: then all that waits still does."""
    head = lane.recv(HEAD.size, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    for fd in [os.dup(0) for _ in range(head[2] + 1 if len(head) > 2 else 0)]:
        os.close(fd)


def has_ended(lane):
    """Nothing was read: the end, unless somebody sent an empty datagram."""
    poll = select.poll()
    poll.register(lane, select.POLLRDHUP)
    return bool(poll.poll(0))


def read_body(length, flags, inline, fds):
    if flags & BODY_MEMFD:
        seals = fcntl.fcntl(fds[-1], fcntl.F_GET_SEALS)
        if seals & SEALS != SEALS or os.fstat(fds[-1]).st_size != length or length > 16 << 20:
            raise ValueError("its body is no sealed memfd")
        inline = os.pread(fds[-1], length, 0)
    if len(inline) != length:
        raise ValueError("its length is wrong")
    return inline


class Mailbox:
    def __init__(self):
        self.lanes = selectors.DefaultSelector()  # epoll, level-triggered
        self.inkod = None  # the supervisor's lane
        for fd, name in enumerate(os.environ["LISTEN_FDNAMES"].split(":"), 3):
            os.set_inheritable(fd, False)
            if name in ("mailbox", "mailbox-shared"):
                lane = self.add(fd, None, name == "mailbox-shared")
                self.inkod = self.inkod or lane

    def add(self, fd, number, shared):
        lane = socket.socket(fileno=fd)
        self.lanes.register(lane, selectors.EVENT_READ, (number, shared))
        return lane

    def drop(self, lane):
        self.lanes.unregister(lane)  # close alone would not: others have this lane open too
        lane.close()

    def stop(self, gone):
        """What only we read is emptied; what siblings read too is theirs, unless inkod is gone."""
        self.drop(self.inkod)
        for key in list(self.lanes.get_map().values()):
            if key.data[1] and not gone:
                self.drop(key.fileobj)
            else:
                key.fileobj.shutdown(socket.SHUT_RD)

    def handle(self, lane, data, fds):
        """What stays in fds is closed by the caller."""
        version, kind, sockets, flags, length, number, *_ = HEAD.unpack_from(data)
        if version != 1 or sockets + (flags & BODY_MEMFD) != len(fds):
            raise ValueError("its head is wrong")
        body = read_body(length, flags, data[HEAD.size:], fds)
        if kind == CONNECTION and sockets == 1:
            client = socket.socket(fileno=fds[0])
            fds.pop(0)
            answer(client)
        elif kind in (MESSAGE, ANSWER):
            print("message:", body.decode(errors="replace"), flush=True)
        elif kind == LANE and lane is self.inkod and flags & LANE_IN:
            if number not in (key.data[0] for key in self.lanes.get_map().values()):
                self.add(fds.pop(0), number, bool(flags & LANE_SHARED))
        elif kind == STOP and lane is self.inkod:
            self.stop(gone=False)

    def receive(self, lane):
        fds = array.array("i")
        try:
            make_sure_of_room(lane)
            data, control, flags, _ = lane.recvmsg(
                HEAD.size + 4096, CONTROL_BYTES, socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC)
        except (BlockingIOError, ConnectionResetError):
            return  # a sibling was first; or the sender has gone, and what it had sent follows
        for level, kind, value in control:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(value[:len(value) // 4 * 4])
        try:
            if flags & (socket.MSG_CTRUNC | socket.MSG_TRUNC):
                raise ValueError("it is cut")
            if data:
                self.handle(lane, data, fds)
            elif not fds and has_ended(lane):
                self.stop(gone=True) if lane is self.inkod else self.drop(lane)
        except (OSError, ValueError, struct.error) as error:
            print("a message was dropped:", error, file=sys.stderr, flush=True)
        finally:
            for fd in fds:
                os.close(fd)

    def run(self):
        while self.lanes.get_map():
            for key, _ in self.lanes.select():
                if key.fileobj.fileno() >= 0:  # else it was dropped in this very turn
                    self.receive(key.fileobj)


if os.environ.get("LISTEN_PID") != str(os.getpid()):
    sys.exit("http-hello.py: start it with inkoctl spawn")
mailbox = Mailbox()
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
    notify.connect(os.environ["NOTIFY_SOCKET"])
    notify.send(b"READY=1")
mailbox.run()
