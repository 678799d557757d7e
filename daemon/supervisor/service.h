#pragma once

/*
 * org.varlink.service: what every Varlink service answers about itself
 * (https://varlink.org/Service), and the errors that all of them share. The two handlers are rows
 * of the table in interface.c.
 */

struct call;
struct supervisor;

#define SERVICE_INTERFACE "org.varlink.service"
#define SERVICE_SUPERVISOR "io.inkod.Supervisor"

/* Parameters of GetInterfaceDescription. */
struct service_description {
	char *interface;
};

void service_get_info(struct supervisor *supervisor, struct call *call, void *parameters);
void service_get_description(struct supervisor *supervisor, struct call *call, void *parameters);

/* Ends call with an error of org.varlink.service (its name without the prefix). member: what it
 * names, which is value; NULL where it names nothing. */
void service_fail(struct call *call, const char *error, const char *member, const char *value);
