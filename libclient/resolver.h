#pragma once

/*
 * Names that are looked up in a thread: the only one that libinko ever starts. It takes them one
 * after another, starts at the first with all signals blocked, and ends when there was none for a
 * while.
 *
 * All calls are for the thread that owns the resolver, but those who wait may be several tasks of
 * it.
 */

#include <stddef.h>
#include <stdint.h>

#include <inko/ip.h>

/* Questions at a time, of which each holds a descriptor: others wait until one has its answer. */
#define RESOLVER_QUESTIONS 64
/* A program that looks names up now and then does not start a thread for each. */
#define RESOLVER_IDLE_USEC 5000000u

/* What ps(1) and debuggers call the thread. */
#define RESOLVER_THREAD_NAME "inko-resolver"

struct resolver;
struct resolver_question;

/* A resolver, still without a thread, which will end after idle_usec without a question. */
int resolver_new(uint64_t idle_usec, struct resolver **ret_resolver);
/* No question may be left. Never waits: a thread that still looks up a name that nobody waits for
 * ends by itself and frees what it needs until then. NULL is allowed. Returns NULL. */
struct resolver *resolver_free(struct resolver *resolver);

/* Asks for the addresses of host. Waits for its turn until deadline_usec, as wait_for does. -EAGAIN
 * too when there can be no thread. */
int resolver_ask(struct resolver *resolver, const char *host, uint64_t deadline_usec,
	struct resolver_question **ret_question);
/* Waits for the answer: 0, or the errors of lookup_host or of wait_for. The question is freed
 * either way; who gives up leaves a name that is being looked up to the thread. */
int resolver_await(struct resolver *resolver, struct resolver_question *take_question,
	uint64_t deadline_usec, struct inko_ip **ret_ips, size_t *ret_n);
