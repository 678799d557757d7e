#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/supervisor/listener.h"
#include "daemon/supervisor/plan-difference.h"
#include "daemon/supervisor/plan-listener.h"
#include "daemon/supervisor/plan-socket.h"
#include "daemon/supervisor/plan.h"
#include "daemon/supervisor/supervisor.h"
#include "proto/descriptor.h"

static const struct listener *find_by_address(struct supervisor *supervisor, const char *address)
{
	const struct listener *listener;

	TAILQ_FOREACH(listener, &supervisor->listeners, entries)
		if (strcmp(listener->address, address) == 0)
			return listener;
	return NULL;
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

/* result: why it cannot be bound. */
static int judge_obstacle(struct plan *plan, struct change *change, int result,
	const struct listener_refusal *refusal, struct configuration_fault *fault)
{
	const struct listener *other;
	struct change *going;
	char text[ADDRESS_TEXT_BYTES];

	format_address(change, text);
	other = find_by_address(plan->supervisor, text);
	going = result == -EADDRINUSE ? find_going(plan, other) : NULL;
	if (going) {
		change->is_late = going->is_in_way = true;
		return 0;
	}
	fault->is_transient = strcmp(refusal->error, "AddressInUse") == 0;
	if (other && other->is_owned)
		return configuration_refuse(
			fault, "the listener %s of %s is at %s", other->name, other->give, text);
	if (other)
		return configuration_refuse(fault,
			"the listener %s is at %s; 'inkoctl close %s' first", other->name, text,
			other->name);
	return configuration_refuse(fault, "%s", refusal->reason);
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
		configuration_locate_listener(fault, change->configured, "address");
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
