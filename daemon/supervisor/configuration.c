#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/adapter.h"
#include "daemon/supervisor/builtin.h"
#include "daemon/supervisor/configuration-fault.h"
#include "daemon/supervisor/configuration-lookup.h"
#include "daemon/supervisor/configuration.h"
#include "daemon/supervisor/field-fault.h"
#include "proto/name.h"

#define ACTORS "actors"
#define LISTENERS "listeners"

static int refuse_field(const struct json_field *fields, const cJSON *object, const char *name,
	enum json_problem problem, struct configuration_fault *fault)
{
	field_fault_describe(fields, object, name, problem, fault->reason);
	return -EINVAL;
}

/* Listeners. */

static int check_address(struct configured_listener *listener, struct configuration_fault *fault)
{
	const char *complaint;

	if (listener_request_systemd_name(listener->request.address))
		return 0;
	if (address_parse(listener->request.address, &listener->address, &complaint) < 0)
		return configuration_fault_refuse(
			fault, "'%.200s': %s", listener->request.address, complaint);
	return 0;
}

/* Its name is what it is known by the next time. */
static int name_listener(struct configured_listener *listener, struct configuration_fault *fault)
{
	char name[LIMIT_NAME_CHARS + 1];

	if (listener->request.name && !name_is_valid(listener->request.name))
		return configuration_fault_refuse(fault, "'%.100s' %s", listener->request.name,
			name_complaint(listener->request.name));
	if (listener->request.name)
		return 0;
	if (address_has_any_port(&listener->address))
		return configuration_fault_refuse(fault,
			"it is missing; port 0 is another one each time, so that no name can be made "
			"of it");
	listener_request_default_name(&listener->request, &listener->address, name);
	if (!name_is_valid(name))
		return configuration_fault_refuse(
			fault, "it is missing, and '%.100s' %s", name, name_complaint(name));
	listener->request.name = strdup(name);
	return listener->request.name ? 0 : -ENOMEM;
}

/* The same name, which stays. */
static const char *find_member(const struct json_field *fields, const char *name)
{
	while (strcmp(fields->name, name) != 0)
		fields++;
	return fields->name;
}

static int check_listener(struct configured_listener *listener, const char **ret_member,
	struct configuration_fault *fault)
{
	struct listener_refusal refusal;
	int r = listener_request_check(&listener->request, &refusal);

	if (r == -EINVAL) {
		*ret_member = find_member(listener_request_fields, refusal.subject);
		return configuration_fault_refuse(fault, "%s", refusal.reason);
	}
	*ret_member = "address";
	if (r == 0)
		r = check_address(listener, fault);
	if (r < 0)
		return r;
	*ret_member = "name";
	return name_listener(listener, fault);
}

static int parse_listener(struct configuration *configuration, const struct spec_asker *asker,
	const cJSON *object, const char **ret_member, struct configuration_fault *fault)
{
	struct configured_listener *listener =
		&configuration->listeners[configuration->n_listeners];
	enum json_problem problem;
	int r;

	(void)asker;
	listener_request_init(&listener->request);
	listener->index = configuration->n_listeners++ - configuration->n_own_listeners;
	r = json_decode(object, listener_request_fields, &listener->request, ret_member, &problem);
	if (r == -EINVAL)
		return refuse_field(listener_request_fields, object, *ret_member, problem, fault);
	return r < 0 ? r : check_listener(listener, ret_member, fault);
}

/* Actors. */

/* What spec.c says may start with the name of the member, which is said already. */
static int refuse_spec(const char *member, const char *reason, struct configuration_fault *fault)
{
	size_t length = strlen(member);
	bool is_named = strncmp(reason, member, length) == 0 && reason[length] == ':';

	return configuration_fault_refuse(fault, "%s", is_named ? reason + length + 2 : reason);
}

static int check_actor(struct spec *spec, const struct spec_asker *asker, const char **ret_member,
	struct configuration_fault *fault)
{
	char reason[512];
	int r = spec_check(spec, asker, ret_member, reason);

	if (r == -ENOENT || r == -EINVAL)
		return refuse_spec(*ret_member, reason, fault);
	*ret_member = "name";
	if (r == 0 && builtin_is_reserved(spec->name))
		return configuration_fault_refuse(fault, "%s belongs to inkod", spec->name);
	return r;
}

/* The last that there is, by its actor. */
static int parse_own_listener(
	struct configuration *configuration, size_t place, struct configuration_fault *fault)
{
	const struct spec *spec = &configuration->actors[configuration->n_actors - 1];
	struct configured_listener *listener =
		&configuration->listeners[configuration->n_listeners];
	const char *member;
	int r = adapter_parse_listener(spec->listeners[place], spec->name, &listener->request);

	if (r < 0)
		return r;
	configuration->n_listeners++;
	configuration->n_own_listeners++;
	listener->index = configuration->n_actors - 1;
	listener->place = place;
	return check_listener(listener, &member, fault);
}

static int parse_own_listeners(struct configuration *configuration, const char **ret_member,
	struct configuration_fault *fault)
{
	const struct spec *spec = &configuration->actors[configuration->n_actors - 1];
	int r = 0;

	*ret_member = LISTENERS;
	for (size_t i = 0; r == 0 && spec->listeners && spec->listeners[i]; i++)
		r = parse_own_listener(configuration, i, fault);
	return r;
}

static int parse_actor(struct configuration *configuration, const struct spec_asker *asker,
	const cJSON *object, const char **ret_member, struct configuration_fault *fault)
{
	struct spec *spec = &configuration->actors[configuration->n_actors];
	enum json_problem problem;
	int r;

	spec_init(spec);
	configuration->n_actors++;
	r = json_decode(object, spec_fields, spec, ret_member, &problem);
	if (r == -EINVAL)
		return refuse_field(spec_fields, object, *ret_member, problem, fault);
	if (r == 0)
		r = check_actor(spec, asker, ret_member, fault);
	return r < 0 ? r : parse_own_listeners(configuration, ret_member, fault);
}

/* The whole. */

/* member: of the object that is wrong, or NULL. */
typedef int parse_element_fn(struct configuration *configuration, const struct spec_asker *asker,
	const cJSON *object, const char **ret_member, struct configuration_fault *fault);

static int parse_array(struct configuration *configuration, const struct spec_asker *asker,
	const cJSON *array, parse_element_fn *parse, struct configuration_fault *fault)
{
	const char *member;
	const cJSON *object;
	size_t index = 0;
	int r;

	cJSON_ArrayForEach(object, array) {
		member = NULL;
		r = cJSON_IsObject(object) ? parse(configuration, asker, object, &member, fault)
					   : configuration_fault_refuse(fault, "it is no object");
		if (r < 0) {
			configuration_fault_locate(fault, array->string, index, member);
			return r;
		}
		index++;
	}
	return 0;
}

static const struct {
	const char *member;
	parse_element_fn *parse;
} arrays[] = {{ACTORS, parse_actor}, {LISTENERS, parse_listener}};

#define N_ARRAYS (sizeof(arrays) / sizeof(*arrays))

/* Is it an object of these arrays? */
static int check_outline(const cJSON *object, struct configuration_fault *fault)
{
	static const struct json_field fields[] = {
		{.name = ACTORS}, {.name = LISTENERS}, JSON_FIELDS_END};
	const cJSON *member;

	cJSON_ArrayForEach(member, object) {
		bool is_known = false;

		(void)snprintf(fault->path, sizeof(fault->path), "%.80s", member->string);
		for (size_t i = 0; i < N_ARRAYS; i++)
			is_known |= strcmp(member->string, arrays[i].member) == 0;
		if (!is_known)
			return refuse_field(fields, object, member->string, JSON_UNKNOWN, fault);
		if (!cJSON_IsArray(member))
			return configuration_fault_refuse(fault, "it must be an array of objects");
	}
	return 0;
}

static size_t count_array(const cJSON *object, const char *member)
{
	return (size_t)cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(object, member));
}

static int allocate(
	const cJSON *object, struct configuration *configuration, struct configuration_fault *fault)
{
	size_t n_actors = count_array(object, ACTORS), n_listeners = count_array(object, LISTENERS);
	const cJSON *actor;
	int r;

	*configuration = (struct configuration){0};
	cJSON_ArrayForEach(actor, cJSON_GetObjectItemCaseSensitive(object, ACTORS))
		n_listeners += count_array(actor, LISTENERS);
	r = configuration_fault_check_number(ACTORS, n_actors, LIMIT_ACTORS, fault);
	if (r == 0)
		r = configuration_fault_check_number(
			LISTENERS, n_listeners, LIMIT_LISTENERS, fault);
	if (r < 0)
		return r;
	configuration->actors = calloc(n_actors + 1, sizeof(*configuration->actors));
	configuration->listeners = calloc(n_listeners + 1, sizeof(*configuration->listeners));
	return configuration->actors && configuration->listeners ? 0 : -ENOMEM;
}

int configuration_parse(const cJSON *object, const struct spec_asker *asker,
	struct configuration *ret_configuration, struct configuration_fault *ret_fault)
{
	struct configuration configuration;
	int r;

	*ret_fault = (struct configuration_fault){0};
	r = allocate(object, &configuration, ret_fault);
	if (r == 0)
		r = check_outline(object, ret_fault);
	for (size_t i = 0; r == 0 && i < N_ARRAYS; i++)
		r = parse_array(&configuration, asker,
			cJSON_GetObjectItemCaseSensitive(object, arrays[i].member), arrays[i].parse,
			ret_fault);
	if (r == 0)
		r = configuration_lookup_sort(&configuration);
	if (r == 0)
		r = configuration_lookup_check_twice(&configuration, ret_fault);
	if (r < 0) {
		configuration_done(&configuration);
		return r;
	}
	*ret_configuration = configuration;
	return 0;
}

void configuration_done(struct configuration *configuration)
{
	for (size_t i = 0; i < configuration->n_actors; i++)
		spec_done(&configuration->actors[i]);
	for (size_t i = 0; i < configuration->n_listeners; i++)
		listener_request_done(&configuration->listeners[i].request);
	free(configuration->actors);
	free(configuration->listeners);
	free(configuration->actors_by_name);
	free(configuration->listeners_by_name);
	*configuration = (struct configuration){0};
}
