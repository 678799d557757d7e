#pragma once

/*
 * What is asked of a new listener, and why there is none.
 */

#include <stdbool.h>
#include <stdint.h>

#include "proto/address.h"
#include "proto/limits.h"

struct supervisor;

/* What is asked of a new listener; the strings are the caller's. NULL name: by its address. */
struct listener_request {
	const char *address, *to, *give, *name, *balance;
	int64_t hold_usec;
	bool is_owned; /* is closed with its actor */
};

/* Why there is no new listener: the error of the interface, what its first member names (the
 * request's or static), and one sentence. */
struct listener_refusal {
	const char *error, *subject;
	char reason[512];
};

/* What was asked for, open. */
struct listener_opening {
	int fd;
	struct address address;		 /* as bound */
	char name[LIMIT_NAME_CHARS + 1]; /* the one that was asked for, or made of the address */
};

/* Binds what request wants, or finds it among what systemd gave. fd is the caller's. On failure
 * (-EINVAL, -EEXIST, and errors of bind and listen) *ret_refusal is filled. */
int listener_request_open(struct supervisor *supervisor, const struct listener_request *request,
	struct listener_opening *ret_opening, struct listener_refusal *ret_refusal);
/* Fills *ret_refusal, and returns result. */
int listener_request_refuse(int result, struct listener_refusal *ret_refusal, const char *error,
	const char *subject, const char *reason, ...) __attribute__((format(printf, 5, 6)));

/* The name in an address `systemd:NAME`, or NULL. */
const char *listener_request_systemd_name(const char *address);
