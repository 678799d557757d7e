#pragma once

/*
 * Doing what a plan says. Each object is put to the keeper as it shall be before anything follows
 * from it, so that a supervisor that is killed in between leaves each of them whole; the next apply
 * of the same configuration does the rest.
 */

struct call;
struct plan;
struct supervisor;

/* Takes plan, and begins one change after the other as the loop comes round, so that whoever has
 * something to say in between is heard. call, which may be NULL, is answered when everything has
 * come to where it shall be, or has failed; on_begun, the same, is called when all has been begun.
 * Errors of sd_event, -ENOMEM: the plan is taken all the same. */
int apply_begin(struct supervisor *supervisor, struct plan *take_plan, struct call *call,
	void (*on_begun)(struct supervisor *supervisor));
/* Looks how far they have come. */
void apply_check(struct supervisor *supervisor);
/* Lets go of the calls of a client that left: what was begun goes on. */
void apply_forget(struct supervisor *supervisor, const struct call *call);
