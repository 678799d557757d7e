#pragma once

/*
 * What a task owns: sockets and messages that it made or received. What is left of them when it
 * ends is closed.
 */

/* Embedded in what can be owned; all zero is nobody's. */
struct owned {
	struct owned *next, *previous;
	void (*close)(struct owned *owned);
};

/* All that one task owns: the head of a ring. */
struct belongings {
	struct owned ring;
};

void belongings_init(struct belongings *belongings);
/* Closes all of them, the latest first. */
void belongings_close(struct belongings *belongings);

/* owned is now the running task's, if one runs, who else it was. close, called when the task has
 * ended, must let it leave. */
void owned_enter(struct owned *owned, void (*close)(struct owned *owned));
/* It is nobody's now. */
void owned_leave(struct owned *owned);
