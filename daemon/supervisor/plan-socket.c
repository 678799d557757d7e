#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/supervisor/configuration-fault.h"
#include "daemon/supervisor/listener.h"
#include "daemon/supervisor/plan-difference.h"
#include "daemon/supervisor/plan-listener.h"
#include "daemon/supervisor/plan-socket.h"
#include "daemon/supervisor/plan.h"
#include "daemon/supervisor/supervisor.h"
#include "proto/descriptor.h"

/* Where a listener is that is there. Of length 0 where systemd opened it. */
struct place {
	const struct listener *listener;
	struct address address;
};

static bool is_any_host(const struct address *address)
{
	return address->any.sa_family == AF_INET ? address->v4.sin_addr.s_addr == INADDR_ANY
						 : IN6_IS_ADDR_UNSPECIFIED(&address->v6.sin6_addr);
}

static bool is_same(const struct address *address, const struct address *other)
{
	return address->length == other->length &&
	       memcmp(&address->any, &other->any, address->length) == 0;
}

/* Both cannot be listened on. Whoever listens at a port of one host is in the way of that port of
 * all, and the other way round. */
static bool are_exclusive(const struct address *address, const struct address *other)
{
	if (address->any.sa_family != other->any.sa_family)
		return false;
	if (address->any.sa_family == AF_UNIX)
		return strcmp(address->un.sun_path, other->un.sun_path) == 0;
	/* The port is at the same place in both families. */
	return address->v4.sin_port == other->v4.sin_port &&
	       (is_any_host(address) || is_any_host(other) || is_same(address, other));
}

/* Once, where there is an obstacle. */
static int find_places(struct plan *plan)
{
	const struct listener *listener;
	const char *complaint;
	size_t n = 0;

	if (plan->places)
		return 0;
	TAILQ_FOREACH(listener, &plan->supervisor->listeners, entries)
		n++;
	plan->places = calloc(n + 1, sizeof(*plan->places));
	if (!plan->places)
		return -ENOMEM;
	TAILQ_FOREACH(listener, &plan->supervisor->listeners, entries) {
		struct place *place = &plan->places[plan->n_places];

		if (address_parse(listener->listens_on ? listener->listens_on : listener->address,
			    &place->address, &complaint) < 0)
			continue;
		place->listener = listener;
		plan->n_places++;
	}
	return 0;
}

/* What makes it go before those that are wanted are opened, or NULL. */
static struct change *find_going(const struct plan *plan, const struct listener *listener)
{
	for (size_t i = 0; listener && i < plan->n_changes; i++) {
		struct change *change = &plan->changes[i];

		if (change->is_listener && strcmp(change->name, listener->name) == 0)
			return change->effect == PLAN_REPLACE || plan_gives_up(plan, listener)
				       ? change
				       : NULL;
	}
	return NULL;
}

/* Where it is bound, or shall be. */
static void format_address(const struct change *change, char text[static ADDRESS_TEXT_BYTES])
{
	const struct configured_listener *configured = change->configured;

	if (configured->address.length > 0)
		address_format(change->fd < 0 ? &configured->address : &change->address, text);
	else
		(void)snprintf(text, ADDRESS_TEXT_BYTES, "%s", configured->request.address);
}

static int refuse_for(const struct listener *other, const char *address, bool is_own,
	struct configuration_fault *fault)
{
	const char *where = other->listens_on ? other->listens_on : other->address;

	fault->is_transient = true;
	if (other->is_owned)
		return configuration_fault_refuse(fault, "the listener %s of %s is at %.200s",
			other->name, other->give, where);
	if (is_own)
		return configuration_fault_refuse(fault,
			"it is at %.200s now, and cannot listen on %.200s beside that; 'inkoctl "
			"close %s' first, and clients are refused until it is open again",
			where, address, other->name);
	return configuration_fault_refuse(fault,
		"the listener %s is at %.200s; 'inkoctl close %s' first, and clients are refused "
		"until another is open there",
		other->name, where, other->name);
}

/* Is it in use by those alone that go before it is opened? */
static int judge_places(struct plan *plan, struct change *change, struct configuration_fault *fault)
{
	const struct address *wanted = &change->configured->address;
	char text[ADDRESS_TEXT_BYTES];
	int r = find_places(plan);

	address_format(wanted, text);
	for (size_t i = 0; r == 0 && i < plan->n_places; i++) {
		const struct listener *other = plan->places[i].listener;
		struct change *going;

		if (!are_exclusive(wanted, &plan->places[i].address))
			continue;
		going = find_going(plan, other);
		if (going)
			change->is_late = going->is_in_way = true;
		else
			r = refuse_for(other, text, strcmp(other->name, change->name) == 0, fault);
	}
	return r;
}

/* result: why it cannot be bound. */
static int judge_obstacle(struct plan *plan, struct change *change, int result,
	const struct listener_refusal *refusal, struct configuration_fault *fault)
{
	int r = result == -EADDRINUSE && change->configured->address.length > 0
			? judge_places(plan, change, fault)
			: 0;

	if (r < 0 || change->is_late)
		return r;
	fault->is_transient = strcmp(refusal->error, "AddressInUse") == 0;
	return configuration_fault_refuse(fault, "%s", refusal->reason);
}

static int try_one(struct plan *plan, struct change *change, struct configuration_fault *fault)
{
	struct listener_refusal refusal;
	int r = listener_request_try(plan->supervisor, &change->configured->request, &refusal);

	return r < 0 ? judge_obstacle(plan, change, r, &refusal, fault) : 0;
}

static int bind_one(struct plan *plan, struct change *change, struct configuration_fault *fault)
{
	struct listener_refusal refusal;
	char text[ADDRESS_TEXT_BYTES];
	int r;

	if (change->is_late)
		return 0;
	r = listener_request_bind(plan->supervisor, &change->configured->request, &change->address,
		&change->fd, &refusal);
	if (r < 0)
		return judge_obstacle(plan, change, r, &refusal, fault);
	format_address(change, text);
	return plan_listener_write_own(plan, change->configured, text);
}

static bool needs_socket(const struct change *change)
{
	if (!change->is_listener)
		return false;
	return change->action == PLAN_ADD ||
	       (change->action == PLAN_CHANGE && plan_difference_has(change->fields, "address"));
}

static int do_all(struct plan *plan,
	int (*do_one)(struct plan *plan, struct change *change, struct configuration_fault *fault),
	struct configuration_fault *fault)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->n_changes; i++) {
		struct change *change = &plan->changes[i];

		if (!needs_socket(change))
			continue;
		configuration_fault_locate_listener(fault, change->configured, "address");
		r = do_one(plan, change, fault);
	}
	return r;
}

int plan_socket_bind_all(struct plan *plan, struct configuration_fault *fault)
{
	int r = do_all(plan, try_one, fault);

	return r < 0 || plan->is_dry_run ? r : do_all(plan, bind_one, fault);
}

void plan_socket_close(struct change *change)
{
	if (change->fd >= 0 && change->address.any.sa_family == AF_UNIX &&
		!listener_request_systemd_name(change->configured->request.address))
		(void)unlink(change->address.un.sun_path);
	descriptor_close(&change->fd);
}
