#pragma once

/*
 * What keeper and supervisor say to each other over a SOCK_SEQPACKET pair. A put, update or drop
 * needs no answer: once it is in the socket the keeper will do it, in order, whatever becomes of
 * the sender.
 *
 * The two may be of different builds while one of them is being replaced: the numbers stay as they
 * are, new verbs come behind the last, and a verb that is not known is left out.
 */

#include <stddef.h>
#include <stdint.h>

#include "proto/passing.h"

enum keep_verb {
	/* supervisor to keeper */
	KEEP_PUT = 1, /* hold bytes and descriptors under key, in place of what it held */
	KEEP_UPDATE,  /* hold these bytes under key, the descriptors stay */
	KEEP_DROP,    /* forget key, close its descriptors */
	KEEP_TAKE,    /* send me everything */
	KEEP_FINISH,  /* the service has ended: end too, do not start me again. number is the exit
		       * status where it could not begin, or 0 */
	/* keeper to supervisor */
	KEEP_HELD,   /* one key with its bytes and descriptors; number: see KEEP_EXITED and
		      * KEEP_HEARD, or 0 */
	KEEP_END,    /* that was everything */
	KEEP_EXITED, /* the process of key's first descriptor, a pidfd, ended; number is
		      * KEEP_STATUS_KNOWN | (CLD_* << 8) | si_status. See waitid(2). */
	KEEP_STOP,   /* the operator wants the service to end */

	/* supervisor to keeper */
	KEEP_UPGRADE, /* see whether what is installed can run, and then tell me to leave, start it,
		       * and be replaced once it serves */
	KEEP_SERVING, /* I have taken over what is held, and answer on the control socket */
	/* supervisor to whoever connects to its door (RUNTIME_KEEPER) */
	KEEP_REFUSED, /* there is a keeper; number is its pid. Nothing follows. */
	KEEP_LOCK,    /* you are the keeper: the lock of the directory; then a KEEP_PUT for all
		       * that I have, then */
	KEEP_ALL,     /* that was all; from now on this is the link to me */
	/* keeper to supervisor */
	KEEP_LEAVE,  /* end, as on SIGTERM: I start the installed one */
	KEEP_KEEPER, /* who I am: bytes are my version, number how often I was replaced in place */
	/* supervisor to keeper */
	KEEP_NOTIFY, /* say this to the service manager: lines as in sd_notify(3) */
	KEEP_ALIVE,  /* a sign of life */
	/* keeper to supervisor */
	KEEP_WATCH, /* somebody wants to know how things are: notify, now and when it changes; and
		     * if number is not 0 give a sign of life twice in that many milliseconds */
	KEEP_STAY,  /* go on, instead of KEEP_LEAVE: what is installed cannot run; bytes say why */
	KEEP_VERBS,
};

#define KEEP_STATUS_KNOWN 0x10000u

/* Sockets that the keeper was given are held under this and their name from the start on. A keeper
 * that took over from another says which it was given itself (KEEP_HELD). */
#define KEEP_SOCKET "socket/"

/* Held under this and its name is an instance. Its first descriptor is the socket that it notifies
 * (sd_notify(3)), with SO_PASSCRED. */
#define KEEP_INSTANCE "instance/"

/* What an instance said there while no supervisor ran, so that it need not wait for one: a message
 * under this, the instance's name, and a number behind a '/', in order. number is the process that
 * sent it. */
#define KEEP_HEARD "heard/"

/* Held under this is which version of the state all else is of. It is the argument, if
 * there is any, behind --try, by which a supervisor is asked in a process of its own whether it
 * could go on from that. */
#define KEEP_VERSION "version"

/* The descriptor that the supervisor finds its end at. */
#define KEEP_FD 3
/* And the lock of the runtime directory: as long as either of the two runs nobody else may. */
#define KEEP_LOCK_FD 4

struct keep_message {
	enum keep_verb verb;
	uint32_t number;
	char key[LIMIT_KEY_CHARS + 1];
	char *bytes; /* malloc'd by keep_receive, NUL-terminated; borrowed by keep_send */
	size_t n_bytes;
	struct passed passed; /* borrowed by keep_send, at most LIMIT_KEY_FDS */
};

#define KEEP_FOR_EVER (-1)

/* Sends. While the other side is behind, or the kernel has no room for what is passed, it waits,
 * for at most timeout_msec or KEEP_FOR_EVER, and then says which of them it was: -EAGAIN,
 * -ETOOMANYREFS, -ENOMEM or -ENOBUFS. */
int keep_send(int fd, const struct keep_message *message, int timeout_msec);
/* 1, 0 when the other side is gone, -EAGAIN, -EMFILE or -ENOMEM (no room: the message stays where
 * it is), -EBADMSG (the message is gone). *ret_message is to be done only after 1. */
int keep_receive(int fd, struct keep_message *ret_message);
void keep_message_done(struct keep_message *message);
