#pragma once

/*
 * Which of several addresses to try next, and when (RFC 8305, "Happy Eyeballs"): the course of the
 * attempts, without their I/O.
 *
 * All addresses are known at the start, from one getaddrinfo(3) or from the caller, so that the
 * Resolution Delay, for names whose addresses of one family come first, has nothing to wait for.
 */

#include <stddef.h>
#include <stdint.h>

#include <inko/ip.h>

/* Each attempt that hangs holds a descriptor; the last of so many begins within four seconds. */
#define HAPPY_EYEBALLS_ATTEMPTS 16
/* The Connection Attempt Delay that section 5 recommends. */
#define HAPPY_EYEBALLS_DELAY_USEC 250000u

enum happy_eyeballs_step {
	HAPPY_EYEBALLS_BEGIN,	/* begin the next attempt */
	HAPPY_EYEBALLS_WAIT,	/* for those that have begun, or until next_usec */
	HAPPY_EYEBALLS_GIVE_UP, /* all have failed, with error */
};

struct happy_eyeballs {
	struct inko_ip ips[HAPPY_EYEBALLS_ATTEMPTS]; /* in the order of their attempts */
	size_t n_ips;
	size_t n_begun;
	size_t n_pending;
	uint64_t delay_usec;
	uint64_t next_usec; /* when the next attempt is due; 0: at once, or there is none */
	int error;	    /* the most telling one of those that failed, 0 if none has */
};

/* The first HAPPY_EYEBALLS_ATTEMPTS of ips, of which there is one at least, families taking turns
 * (First Address Family Count 1), that of the first address first, and in each the order of ips,
 * which is the caller's preference. What occurs twice is tried once. */
void happy_eyeballs_init(struct happy_eyeballs *course, const struct inko_ip *ips, size_t n_ips,
	uint64_t delay_usec);

/* What to do now. After HAPPY_EYEBALLS_BEGIN the attempt at ips[n_begun - 1] is pending. */
enum happy_eyeballs_step happy_eyeballs_step(struct happy_eyeballs *course, uint64_t now_usec);

/* A pending attempt has failed, with error, a negative errno: the next is due at once. */
void happy_eyeballs_fail(struct happy_eyeballs *course, int error);
