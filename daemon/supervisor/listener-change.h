#pragma once

/*
 * A listener becomes another one: because somebody wants it otherwise, or since systemd opened
 * another socket for it. Whoever waits at the socket before is not lost by it.
 */

struct address;
struct listener;
struct listener_request;
struct supervisor;

/* Makes of one that is handed to an actor (to) what request says, under the same name. Where
 * *take_fd is not -1 it listens there from now on, at address, and who waits at the former socket
 * is accepted first, unless the listener is given away by it. One that is given away is not paused
 * any more. On failure it is as it was, and *take_fd the caller's: errors of listener_route_publish
 * (also for an actor that is being removed), of former_socket_keep, -ENOMEM. */
int listener_change(struct listener *listener, const struct listener_request *request,
	const struct address *address, int *take_fd);
/* Has each listener of systemd's listen on the socket that systemd gave last, and its acceptor go
 * on there; who waits at the one before is accepted all the same. */
void listener_change_follow_systemd(struct supervisor *supervisor);
