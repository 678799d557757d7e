#pragma once

/*
 * When a program is ready that does not say so itself: some time after its start, or when somebody
 * listens on an address.
 */

#include <stdbool.h>
#include <systemd/sd-event.h>

struct instance;
struct spec;

struct readiness {
	sd_event_source *timer, *io;
	int fd; /* that connects, or -1 */
};

void readiness_init(struct readiness *readiness);
/* Looks no more. */
void readiness_end(struct readiness *readiness);
/* The process of instance has started, or was taken over while it started: says in its place that
 * it is ready, if its spec wants that. */
void readiness_begin(struct instance *instance);

/* Is it ready when somebody listens at an address, who may be another instance as well? Then there
 * is to be one instance at a time. */
bool readiness_is_shared(const struct spec *spec);
/* Can it become ready so, by what spec says? Else -EINVAL, the member, and a sentence. */
int readiness_check(
	const struct spec *spec, const char **ret_parameter, char ret_reason[static 512]);
