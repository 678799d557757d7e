#pragma once

/*
 * The route of a listener: who gets what it accepts, or the listener itself. While an actor has
 * failed its clients wait, and are refused after that.
 */

#include <stdbool.h>

struct actor;
struct listener;

/* Hands it out: to the acceptor, or to the instances of its actor; one that is not there yet is
 * started with it. -ENOENT when that is gone whose connections the acceptor would hand over; errors
 * of builtin_ensure_acceptor and routing_open: the acceptor was told nothing then. */
int listener_route_publish(struct listener *listener);
/* The first half of that, all that can fail: nobody is told of anything that has to be taken back.
 * The same errors. */
int listener_route_open(struct listener *listener);
/* The other half, at once after the first: who gets it is there. */
void listener_route_hand_out(struct listener *listener);
/* actor has failed, or runs again. */
void listener_route_on_actor_failed(struct actor *actor, bool has_failed);
