#pragma once

/*
 * What the rest of libinko knows of a socket.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libclient/owned.h"
#include "libclient/service.h"
#include "libclient/wait-list.h"
#include "libclient/wait.h"

#include <inko/socket.h>

struct inko_notifier;

struct inko_socket {
	int fd;
	int domain,
		type; /* AF_INET, SOCK_STREAM and so on: the kernel's word, which never changes */
	bool listens; /* it was seen to: tells a listener that was shut down from no listener */
	bool shared;  /* others may hold what this is a descriptor of: closing it ends nothing */
	uint64_t accept_turn; /* the last in which it was seen to listen and not to block, or 0 */
	uint64_t deadline_usec;
	struct inko_notifier *notifier; /* that ends accept, or NULL */
	struct service *service;	/* that this connection is counted in, or NULL */
	struct watch *watch;		/* in the epoll of the runtime that it waited in, or NULL */
	struct wait_list users;		/* tasks in wait_beside_socket */
	struct owned owned;		/* by the task that has it */
};

/* A socket of a descriptor of known domain and type, which is taken on success. */
int socket_new(int *take_fd, int domain, int type, struct inko_socket **ret_socket);
/* A socket of a new descriptor. */
int socket_open(int domain, int type, int protocol, struct inko_socket **ret_socket);
/* The running task has the socket now, if one runs. */
void socket_own(struct inko_socket *socket);

/* inko_socket_adopt of a connection that is counted in service (or NULL), whose place passes to
 * the socket on success. */
int socket_adopt(int *take_fd, struct service *service, struct inko_socket **ret_socket);

/* getsockopt of SOL_SOCKET. */
int socket_ask(int fd, int option, int *ret_value);

/* After a call on it failed with error: waits, if that may help, for one of events; 0 is to try it
 * again. */
int socket_wait_after(
	struct inko_socket *socket, int error, short events, struct socket_wait *wait);
/* The same for receiving: 1 is to try it again, 0 that nothing will come any more. */
int socket_wait_to_receive(struct inko_socket *socket, int error, struct socket_wait *wait);
