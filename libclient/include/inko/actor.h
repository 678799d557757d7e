#pragma once

/*
 * The actor's side of the contract with inkod: what systemd's services say and are told.
 */

#ifdef __cplusplus
extern "C" {
#endif

/* This instance's name ("web/0"; INKO_INSTANCE), or NULL when inkod did not start this process. */
const char *inko_actor_name(void);
/* Tells inkod that this instance can serve now (READY=1, sd_notify(3)): it joins its routes. 0 when
 * there is nobody to tell, 1 when told, or a negative errno. */
int inko_actor_ready(void);
/* Tells inkod any line of sd_notify(3), such as "STATUS=…". Returns as inko_actor_ready. */
int inko_actor_notify(const char *line);

/* What an actor that feeds others (as inkod's acceptor and gateway do) counts of one source, such
 * as a listener. 'inkoctl counters' tells it, and it outlives the process. */
struct inko_mailbox;
struct inko_tally;

enum inko_tally_what {
	INKO_TALLY_TAKEN,	/* came in */
	INKO_TALLY_HANDED_OVER, /* was sent to a mailbox */
	INKO_TALLY_REFUSED,	/* was turned away, or dropped */
};

/* The tally of source, as it was left; own is this process's mailbox, which must outlive it. NULL,
 * which every function takes, when inkod gave no place to count in. */
struct inko_tally *inko_tally_open(struct inko_mailbox *own, const char *source);
/* One more. */
void inko_tally_add(struct inko_tally *tally, enum inko_tally_what what);
/* The source is gone, and what was counted of it. Returns NULL. */
struct inko_tally *inko_tally_forget(struct inko_tally *tally);

#ifdef __cplusplus
}
#endif
