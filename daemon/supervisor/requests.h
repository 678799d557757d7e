#pragma once

/*
 * Control calls that are answered later: when the actor they are about has come to a state.
 */

struct call;
struct supervisor;

enum request_kind {
	REQUEST_SPAWN, /* ready, or forget it again */
	REQUEST_READY,
	REQUEST_SCALED, /* ready, and no others there */
	REQUEST_ROLLED,
	REQUEST_RELOADED,
	REQUEST_STOPPED,
	REQUEST_REMOVED,
	REQUEST_CLOSED,	  /* a listener */
	REQUEST_PAUSED,	  /* a listener */
	REQUEST_UPGRADED, /* no actor: requests_answer_upgrade */
};

/* Answers call when the actor, or listener, of that name is there. -ENOMEM. */
int requests_add(
	struct supervisor *supervisor, struct call *call, enum request_kind kind, const char *name);
/* Looks which calls can be answered now. */
void requests_check(struct supervisor *supervisor);
/* Answers all REQUEST_UPGRADED; refusal says why it is not to be, NULL that it is. */
void requests_answer_upgrade(struct supervisor *supervisor, const char *refusal);
/* Lets go of the calls of a client that left: what was asked goes on. */
void requests_forget(struct supervisor *supervisor, const struct call *call);
