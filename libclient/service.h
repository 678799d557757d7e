#pragma once

/*
 * How many connections out of one mailbox are in service: counted from when a message of kind
 * connection is received until its socket is closed or given up. Messages and sockets may
 * outlive their mailbox, so the count belongs to all of them.
 */

#include <stdlib.h>

struct service {
	unsigned int n_references;
	unsigned int n_open;
	void (*on_leave)(void *context); /* NULL once the mailbox is closed */
	void *context;
};

static inline struct service *service_new(void (*on_leave)(void *context), void *context)
{
	struct service *service = malloc(sizeof(*service));

	if (service)
		*service = (struct service){
			.n_references = 1, .on_leave = on_leave, .context = context};
	return service;
}

static inline void service_unref(struct service *service)
{
	if (--service->n_references == 0)
		free(service);
}

/* The mailbox is closed: nobody wants to know any more. */
static inline void service_abandon(struct service *service)
{
	service->on_leave = NULL;
	service_unref(service);
}

/* One connection more; each enter is ended by a leave. */
static inline void service_enter(struct service *service)
{
	service->n_references++;
	service->n_open++;
}

/* NULL is a connection that is not counted. */
static inline void service_leave(struct service *service)
{
	if (!service)
		return;
	service->n_open--;
	if (service->on_leave)
		service->on_leave(service->context);
	service_unref(service);
}
