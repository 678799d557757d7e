#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/adapter.h"
#include "daemon/supervisor/configuration-fault.h"
#include "daemon/supervisor/configuration-lookup.h"
#include "daemon/supervisor/listener.h"
#include "daemon/supervisor/plan-difference.h"
#include "daemon/supervisor/plan-listener.h"
#include "daemon/supervisor/plan.h"
#include "proto/descriptor.h"

static bool has_same_host(const struct address *address, const struct address *other)
{
	if (address->any.sa_family == AF_INET)
		return address->v4.sin_addr.s_addr == other->v4.sin_addr.s_addr;
	return memcmp(&address->v6.sin6_addr, &other->v6.sin6_addr,
		       sizeof(address->v6.sin6_addr)) == 0;
}

/* Where port 0 is wanted any is right that it has got, as long as it stays where it is: at another
 * host somebody else may have that one. */
static void settle_port(struct address *address, const struct listener *listener)
{
	const char *complaint;
	struct address current;

	if (listener_request_systemd_name(listener->address) ||
		address_parse(listener->address, &current, &complaint) < 0 ||
		current.any.sa_family != address->any.sa_family || !address_has_any_port(address) ||
		!has_same_host(address, &current))
		return;
	if (address->any.sa_family == AF_INET)
		address->v4.sin_port = current.v4.sin_port;
	else
		address->v6.sin6_port = current.v6.sin6_port;
}

static cJSON *encode_current(const struct listener *listener)
{
	const struct listener_request request = listener_get_request(listener);

	return json_encode(listener_request_fields, &request);
}

/* As it is, or becomes; the request's own where systemd opens it. */
static char *settle_address(const struct configured_listener *configured,
	const struct listener *current, char text[static ADDRESS_TEXT_BYTES])
{
	struct address address = configured->address;

	if (address.length == 0)
		return configured->request.address;
	if (current)
		settle_port(&address, current);
	address_format(&address, text);
	return text;
}

static cJSON *encode_wanted(
	const struct configured_listener *configured, const struct listener *current)
{
	struct listener_request request = configured->request;
	char text[ADDRESS_TEXT_BYTES];

	request.address = settle_address(configured, current, text);
	/* Of one that is given away they mean nothing. */
	if (request.give && current->give) {
		request.balance = current->balance;
		request.hold_usec = current->hold_usec;
	}
	return json_encode(listener_request_fields, &request);
}

/* Whoever was given one has it for good: it must end for all of them. */
static enum plan_effect judge_listener(const struct listener *listener, const cJSON *fields)
{
	return listener->give && fields ? PLAN_REPLACE : PLAN_AT_ONCE;
}

static cJSON *compare_requests(
	const struct listener *listener, const struct configured_listener *configured)
{
	return plan_difference_compare(listener_request_fields, encode_current(listener),
		encode_wanted(configured, listener));
}

static void add_own(cJSON **fields, const struct listener *listener,
	const struct configured_listener *configured)
{
	plan_difference_add_values(fields, "owned", cJSON_CreateBool(listener->is_owned),
		cJSON_CreateBool(configured->request.is_owned));
	plan_difference_add_origin(fields, listener->is_configured, true);
}

cJSON *plan_listener_compare(
	const struct listener *listener, const struct configured_listener *configured)
{
	cJSON *fields = compare_requests(listener, configured);

	add_own(&fields, listener, configured);
	return fields;
}

static int plan_changed_listener(
	struct plan *plan, const struct listener *listener, struct configured_listener *configured)
{
	cJSON *fields = compare_requests(listener, configured);
	enum plan_effect effect = judge_listener(listener, fields);
	struct change *change;
	int r;

	add_own(&fields, listener, configured);
	if (!fields)
		return 0;
	r = plan_add(plan, listener->name, true, &change);
	if (r < 0) {
		cJSON_Delete(fields);
		return r;
	}
	change->action = PLAN_CHANGE;
	change->effect = effect;
	change->configured = configured;
	change->fields = fields;
	return 0;
}

int plan_listener_write_own(
	struct plan *plan, const struct configured_listener *configured, const char *address)
{
	const struct spec *actors = plan->configuration.actors;

	return configured->request.is_owned
		       ? adapter_write_listener(
				 &actors[configured->index].listeners[configured->place],
				 configured->request.name, address)
		       : 0;
}

/* Is it there for an actor that the configuration does not have, and that stays? */
static bool is_of_another(const struct plan *plan, const struct listener *listener)
{
	return listener->is_owned && !plan->prune &&
	       !configuration_lookup_actor(&plan->configuration, listener->give);
}

static int plan_listener(struct plan *plan, size_t index, struct configuration_fault *fault)
{
	struct configured_listener *configured = &plan->configuration.listeners[index];
	struct listener *listener = listener_find(plan->supervisor, configured->request.name);
	char text[ADDRESS_TEXT_BYTES];
	struct change *change;
	int r = plan_listener_write_own(
		plan, configured, settle_address(configured, listener, text));

	if (r < 0)
		return r;
	if (listener && listener->is_closing) {
		fault->is_transient = true;
		return configuration_fault_refuse(
			fault, "%s is being closed; apply again when it is", listener->name);
	}
	if (listener && is_of_another(plan, listener))
		return configuration_fault_refuse(fault,
			"the listener %s belongs to %s, and goes when that is removed",
			listener->name, listener->give);
	if (listener)
		return plan_changed_listener(plan, listener, configured);
	r = plan_add(plan, configured->request.name, true, &change);
	if (r < 0)
		return r;
	change->effect = PLAN_OPEN;
	change->configured = configured;
	return 0;
}

/* Who is given one as it starts, and never after that? Their spec, or NULL. */
static const struct spec *find_starter(
	const struct configuration *configuration, const struct listener_request *request)
{
	const struct spec *spec =
		request->give ? configuration_lookup_actor(configuration, request->give) : NULL;

	return spec && !adapter_has_mailbox(spec) ? spec : NULL;
}

int plan_listeners(struct plan *plan, bool are_for_start, struct configuration_fault *fault)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->configuration.n_listeners; i++) {
		const struct configured_listener *listener = &plan->configuration.listeners[i];

		if (!find_starter(&plan->configuration, &listener->request) == are_for_start)
			continue;
		configuration_fault_locate_listener(fault, listener, "name");
		r = plan_listener(plan, i, fault);
	}
	return r;
}

/* Which of its configuration's actors do? By their index. */
static bool *find_starting(const struct plan *plan)
{
	bool *starts = calloc(plan->configuration.n_actors + 1, sizeof(*starts));

	for (size_t i = 0; starts && i < plan->n_changes; i++) {
		const struct change *change = &plan->changes[i];

		if (change->spec)
			starts[change->spec - plan->configuration.actors] =
				change->effect == PLAN_START || change->effect == PLAN_ROLL;
	}
	return starts;
}

int plan_listeners_note_late(struct plan *plan)
{
	_cleanup_free_ bool *starts = find_starting(plan);

	if (!starts)
		return -ENOMEM;
	for (size_t i = 0; i < plan->n_changes; i++) {
		struct change *change = &plan->changes[i];
		const struct spec *spec =
			change->is_listener && change->action == PLAN_ADD
				? find_starter(&plan->configuration, &change->configured->request)
				: NULL;

		if (spec && !starts[spec - plan->configuration.actors])
			change->effect = PLAN_NEXT_START;
	}
	return 0;
}
