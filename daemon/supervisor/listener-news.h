#pragma once

/*
 * What the acceptor is told of listeners, and instances that are given one. An acceptor that does
 * not run is told of everything when it starts.
 */

#include <stdbool.h>

struct actor;
struct instance;
struct listener;

/* Tells a starting instance of the listeners that are its concern. */
void listener_news_tell_all(struct instance *instance);
/* Gives the socket to the acceptor, with where its connections go. */
void listener_news_open(const struct listener *listener);
/* Whether it is paused. */
void listener_news_pause(const struct listener *listener);
/* Whether it refuses. */
void listener_news_refuse(const struct listener *listener);
/* The acceptor shall let go of it. */
void listener_news_close(const struct listener *listener);
/* Gives the socket to all instances of actor. */
void listener_news_give(const struct listener *listener, struct actor *actor);
