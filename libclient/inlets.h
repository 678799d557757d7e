#pragma once

/*
 * The read ends of lanes: a set behind one epoll descriptor, which are read in turn.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INLETS_READY_MAX 16

/* A lane to receive from. */
struct inlet {
	int fd;
	uint64_t number; /* 0 until it is known */
	bool shared;	 /* siblings read it too */
	bool single;	 /* each message brings one descriptor at most */
	struct answer_way *way;
	uint32_t events; /* it is watched for; 0: it is not in the epoll */
};

/* Takes the read end on success. */
int inlet_new(int *take_fd, bool shared, struct inlet **ret_inlet);
/* NULL is allowed. Returns NULL. */
struct inlet *inlet_free(struct inlet *inlet);

struct inlets {
	int epoll_fd;
	struct inlet **all;
	size_t n;
	bool paused; /* they are out of the epoll */

	/* What the last epoll_wait found, and how far we are with it. */
	struct inlet *ready[INLETS_READY_MAX];
	unsigned int n_ready, next_ready, n_received;
};

int inlets_init(struct inlets *inlets);
void inlets_done(struct inlets *inlets);

/* Takes inlet on success. */
int inlets_add(struct inlets *inlets, struct inlet *take_inlet);
/* Frees it; of one that is not in the set nothing is done. */
void inlets_drop(struct inlets *inlets, struct inlet *inlet);
bool inlets_know(const struct inlets *inlets, uint64_t number);

/* Has the epoll watch inlet, in the set or not, for events and nothing else. */
int inlets_watch(struct inlets *inlets, struct inlet *inlet, uint32_t events);
/* Those in the set leave the epoll, or it would be readable while nobody reads them. */
void inlets_pause(struct inlets *inlets);
/* And come back. Without memory some are missing, and the next resume tries again. */
void inlets_resume(struct inlets *inlets);

/* The one to receive the next message from, or NULL when none has anything. */
struct inlet *inlets_take_turn(struct inlets *inlets);
/* The next is another's. */
void inlets_end_turn(struct inlets *inlets);
/* What was found is looked for again. */
void inlets_forget_turns(struct inlets *inlets);
