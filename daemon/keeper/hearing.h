#pragma once

/*
 * What instances say (sd_notify(3)) while no supervisor runs. A sender waits once some ten of its
 * messages were not read (net.unix.max_dgram_qlen): so they are read here, and held for the next.
 */

#include "daemon/keeper/store.h"

/* Messages that are held of an instance. Those of one process that follow each other and say
 * nothing but what is said again and again (hearing.c) are one, with the last of each; who says
 * more waits, as it would without us. */
#define HEARING_MESSAGES_MAX 16

struct hearing {
	int epoll_fd; /* of the sockets that are listened to; -1: of none */
};

/* Listens to all instances that store has. It may hear nothing where descriptors are short. */
void hearing_begin(struct hearing *hearing, const struct store *store);
void hearing_end(struct hearing *hearing);
/* Hears some of what was said, which epoll_fd tells. */
void hearing_dispatch(struct hearing *hearing, struct store *store);
