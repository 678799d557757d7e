/*
 * The read ends of lanes. What has not been received stays in the kernel, so that the epoll, which
 * is level-triggered, tells the truth and a process that dies loses nothing of it.
 */

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "libclient/inlets.h"
#include "libclient/message.h"
#include "proto/descriptor.h"

/* Of one lane's messages so many are received before the next lane has its turn. */
#define LANE_BUDGET 16

/* One */

int inlet_new(int *take_fd, bool shared, struct inlet **ret_inlet)
{
	struct inlet *inlet = malloc(sizeof(*inlet));

	if (!inlet)
		return -ENOMEM;
	*inlet = (struct inlet){.fd = descriptor_take(take_fd), .shared = shared};
	*ret_inlet = inlet;
	return 0;
}

struct inlet *inlet_free(struct inlet *inlet)
{
	if (!inlet)
		return NULL;
	descriptor_close(&inlet->fd);
	answer_way_unref(inlet->way);
	free(inlet);
	return NULL;
}

/* What to watch */

int inlets_watch(struct inlets *inlets, struct inlet *inlet, uint32_t events)
{
	struct epoll_event event = {.events = events, .data = {.ptr = inlet}};
	int operation = EPOLL_CTL_MOD;

	if (events == inlet->events)
		return 0;
	if (events == 0)
		operation = EPOLL_CTL_DEL; /* else its end would be reported */
	else if (inlet->events == 0)
		operation = EPOLL_CTL_ADD;
	if (epoll_ctl(inlets->epoll_fd, operation, inlet->fd, &event) < 0)
		return -errno;
	inlet->events = events;
	return 0;
}

void inlets_pause(struct inlets *inlets)
{
	if (inlets->paused)
		return;
	for (size_t i = 0; i < inlets->n; i++)
		(void)inlets_watch(inlets, inlets->all[i], 0);
	inlets->paused = true;
	inlets_forget_turns(inlets);
}

void inlets_resume(struct inlets *inlets)
{
	if (!inlets->paused)
		return;
	inlets->paused = false;
	for (size_t i = 0; i < inlets->n; i++)
		if (inlets_watch(inlets, inlets->all[i], EPOLLIN) < 0)
			inlets->paused = true;
}

/* Lanes that come and go */

int inlets_init(struct inlets *inlets)
{
	*inlets = (struct inlets){.epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
	return inlets->epoll_fd < 0 ? -errno : 0;
}

void inlets_done(struct inlets *inlets)
{
	for (size_t i = 0; i < inlets->n; i++)
		inlet_free(inlets->all[i]);
	free(inlets->all);
	descriptor_close(&inlets->epoll_fd);
}

int inlets_add(struct inlets *inlets, struct inlet *take_inlet)
{
	struct inlet **all = reallocarray(inlets->all, inlets->n + 1, sizeof(*all));
	int r;

	if (!all)
		return -ENOMEM;
	inlets->all = all;
	r = inlets->paused ? 0 : inlets_watch(inlets, take_inlet, EPOLLIN);
	if (r == 0)
		all[inlets->n++] = take_inlet;
	return r;
}

void inlets_drop(struct inlets *inlets, struct inlet *inlet)
{
	for (size_t i = 0; i < inlets->n; i++) {
		if (inlets->all[i] != inlet)
			continue;
		/* Others hold this description too: closing ours does not take it out of the epoll.
		 */
		(void)inlets_watch(inlets, inlet, 0);
		inlets->all[i] = inlets->all[--inlets->n];
		inlet_free(inlet);
		return;
	}
}

bool inlets_know(const struct inlets *inlets, uint64_t number)
{
	for (size_t i = 0; i < inlets->n; i++)
		if (inlets->all[i]->number == number)
			return true;
	return false;
}

/* Turns */

void inlets_forget_turns(struct inlets *inlets)
{
	inlets->n_ready = inlets->next_ready = inlets->n_received = 0;
}

void inlets_end_turn(struct inlets *inlets)
{
	inlets->next_ready++;
	inlets->n_received = 0;
}

static void inlets_find_ready(struct inlets *inlets)
{
	struct epoll_event events[INLETS_READY_MAX];
	int n = epoll_wait(inlets->epoll_fd, events, INLETS_READY_MAX, 0);

	inlets_forget_turns(inlets);
	for (int i = 0; i < n; i++)
		inlets->ready[inlets->n_ready++] = events[i].data.ptr;
}

struct inlet *inlets_take_turn(struct inlets *inlets)
{
	if (inlets->n_received >= LANE_BUDGET)
		inlets_end_turn(inlets);
	if (inlets->next_ready >= inlets->n_ready)
		inlets_find_ready(inlets);
	if (inlets->n_ready == 0)
		return NULL;
	inlets->n_received++;
	return inlets->ready[inlets->next_ready];
}
