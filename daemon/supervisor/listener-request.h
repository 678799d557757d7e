#pragma once

/*
 * What is asked of a new listener, and why there is none.
 */

#include <stdbool.h>
#include <stdint.h>

#include "proto/address.h"
#include "proto/json-fields.h"
#include "proto/limits.h"

struct supervisor;

/* What is asked of a listener. NULL name: by its address. */
struct listener_request {
	char *address, *to, *give, *name, *balance;
	int64_t hold_usec;
	bool is_owned; /* is closed with its actor; no member of the table */
};

/* The table of its members, those of Listen in the interface. */
extern const struct json_field listener_request_fields[];

/* Why there is no new listener: the error of the interface, what its first member names, or "", and
 * one sentence. */
struct listener_refusal {
	const char *error;
	char subject[256];
	char reason[512];
};

/* What was asked for, open. */
struct listener_opening {
	int fd;
	struct address address;		 /* as bound */
	char name[LIMIT_NAME_CHARS + 1]; /* the one that was asked for, or made of the address */
};

/* What counts for all that is not said; pointers are NULL. */
void listener_request_init(struct listener_request *request);
/* Frees what it owns, not request itself. */
void listener_request_done(struct listener_request *request);
/* Does what is asked for go together? Says what was not said, but for the name. -EINVAL with
 * *ret_refusal filled, -ENOMEM. */
int listener_request_check(struct listener_request *request, struct listener_refusal *ret_refusal);

/* Binds what request wants, or finds it among what systemd gave. fd is the caller's. On failure
 * (-EINVAL, -EEXIST, -EUSERS, and errors of bind and listen) *ret_refusal is filled. */
int listener_request_open(struct supervisor *supervisor, const struct listener_request *request,
	struct listener_opening *ret_opening, struct listener_refusal *ret_refusal);
/* The same without a look at names: *ret_address is as bound, *ret_fd is the caller's. */
int listener_request_bind(struct supervisor *supervisor, const struct listener_request *request,
	struct address *ret_address, int *ret_fd, struct listener_refusal *ret_refusal);
/* Could that be? Nothing is changed by it. The same on failure. */
int listener_request_try(struct supervisor *supervisor, const struct listener_request *request,
	struct listener_refusal *ret_refusal);
/* The name that a listener has by its address, which is not used where systemd opens the socket. */
void listener_request_default_name(const struct listener_request *request,
	const struct address *address, char name[static LIMIT_NAME_CHARS + 1]);
/* The same by the text of one. -EINVAL where that is none. */
int listener_request_name_address(const char *text, char name[static LIMIT_NAME_CHARS + 1]);
/* Fills *ret_refusal, and returns result. */
int listener_request_refuse(int result, struct listener_refusal *ret_refusal, const char *error,
	const char *subject, const char *reason, ...) __attribute__((format(printf, 5, 6)));

/* The name in an address `systemd:NAME`, or NULL. */
const char *listener_request_systemd_name(const char *address);
