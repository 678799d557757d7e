#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/adapter.h"
#include "daemon/supervisor/builtin.h"
#include "daemon/supervisor/configuration.h"
#include "daemon/supervisor/field-fault.h"
#include "daemon/supervisor/listener.h"
#include "proto/descriptor.h"
#include "proto/name.h"

#define ACTORS "actors"
#define LISTENERS "listeners"

/* Faults. */

int configuration_refuse(struct configuration_fault *ret_fault, const char *reason, ...)
{
	va_list arguments;

	va_start(arguments, reason);
	(void)vsnprintf(ret_fault->reason, sizeof(ret_fault->reason), reason, arguments);
	va_end(arguments);
	return -EINVAL;
}

void configuration_locate(
	struct configuration_fault *fault, const char *array, size_t index, const char *member)
{
	(void)snprintf(fault->path, sizeof(fault->path), "%s[%zu]%s%.80s", array, index,
		member ? "." : "", member ? member : "");
}

void configuration_locate_listener(struct configuration_fault *fault,
	const struct configured_listener *listener, const char *member)
{
	if (listener->request.is_owned)
		configuration_locate(fault, ACTORS, listener->index, LISTENERS);
	else
		configuration_locate(fault, LISTENERS, listener->index, member);
}

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
		return configuration_refuse(
			fault, "'%.200s': %s", listener->request.address, complaint);
	return 0;
}

static bool has_any_port(const struct address *address)
{
	return address->length > 0 &&
	       ((address->any.sa_family == AF_INET && address->v4.sin_port == 0) ||
		       (address->any.sa_family == AF_INET6 && address->v6.sin6_port == 0));
}

/* Its name is what it is known by the next time. */
static int name_listener(struct configured_listener *listener, struct configuration_fault *fault)
{
	char name[LIMIT_NAME_CHARS + 1];

	if (listener->request.name && !name_is_valid(listener->request.name))
		return configuration_refuse(fault, "'%.100s' %s", listener->request.name,
			name_complaint(listener->request.name));
	if (listener->request.name)
		return 0;
	if (has_any_port(&listener->address))
		return configuration_refuse(fault,
			"it is missing; port 0 is another one each time, so that no name can be made "
			"of it");
	listener_request_default_name(&listener->request, &listener->address, name);
	if (!name_is_valid(name))
		return configuration_refuse(
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
		return configuration_refuse(fault, "%s", refusal.reason);
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

	return configuration_refuse(fault, "%s", is_named ? reason + length + 2 : reason);
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
		return configuration_refuse(fault, "%s belongs to inkod", spec->name);
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
					   : configuration_refuse(fault, "it is no object");
		if (r < 0) {
			configuration_locate(fault, array->string, index, member);
			return r;
		}
		index++;
	}
	return 0;
}

/* Looking up: arrays of pointers to elements, of which those that are equal stay in their order. */

typedef int compare_fn(const void *a, const void *b);

static int compare_pointers(const void *a, const void *b)
{
	return (a > b) - (a < b);
}

static int compare_actors(const void *a, const void *b)
{
	const struct spec *const *actor = a, *const *other = b;

	return strcmp((*actor)->name, (*other)->name);
}

static int order_actors(const void *a, const void *b)
{
	int order = compare_actors(a, b);

	return order ? order : compare_pointers(*(void *const *)a, *(void *const *)b);
}

static int compare_names(const void *a, const void *b)
{
	const struct configured_listener *const *listener = a, *const *other = b;

	return strcmp((*listener)->request.name, (*other)->request.name);
}

static int order_names(const void *a, const void *b)
{
	int order = compare_names(a, b);

	return order ? order : compare_pointers(*(void *const *)a, *(void *const *)b);
}

/* Those that systemd opens are before the others. */
static int compare_addresses(const void *a, const void *b)
{
	const struct configured_listener *const *listener = a, *const *other = b;
	const struct address *address = &(*listener)->address, *of_other = &(*other)->address;

	if (address->length != of_other->length)
		return address->length > of_other->length ? 1 : -1;
	return address->length == 0
		       ? strcmp((*listener)->request.address, (*other)->request.address)
		       : memcmp(&address->any, &of_other->any, address->length);
}

static int order_addresses(const void *a, const void *b)
{
	int order = compare_addresses(a, b);

	return order ? order : compare_pointers(*(void *const *)a, *(void *const *)b);
}

/* The first of those that are like *key, or NULL. */
static void *find_first(const void *key, void *const *array, size_t n, compare_fn *compare)
{
	void *const *found = n > 0 ? bsearch(key, array, n, sizeof(*array), compare) : NULL;

	while (found && found > array && compare(key, found - 1) == 0)
		found--;
	return found ? *found : NULL;
}

const struct spec *configuration_find_actor(
	const struct configuration *configuration, const char *name)
{
	const struct spec wanted = {.name = (char *)name}, *key = &wanted;

	return find_first(&key, (void *const *)configuration->actors_by_name,
		configuration->n_actors, compare_actors);
}

const struct configured_listener *configuration_find_listener(
	const struct configuration *configuration, const char *name)
{
	const struct configured_listener wanted = {.request.name = (char *)name}, *key = &wanted;

	return find_first(&key, (void *const *)configuration->listeners_by_name,
		configuration->n_listeners, compare_names);
}

static int sort(struct configuration *configuration)
{
	size_t n_actors = configuration->n_actors, n_listeners = configuration->n_listeners;

	configuration->actors_by_name =
		calloc(n_actors + 1, sizeof(*configuration->actors_by_name));
	configuration->listeners_by_name =
		calloc(n_listeners + 1, sizeof(*configuration->listeners_by_name));
	if (!configuration->actors_by_name || !configuration->listeners_by_name)
		return -ENOMEM;
	for (size_t i = 0; i < n_actors; i++)
		configuration->actors_by_name[i] = &configuration->actors[i];
	for (size_t i = 0; i < n_listeners; i++)
		configuration->listeners_by_name[i] = &configuration->listeners[i];
	qsort(configuration->actors_by_name, n_actors, sizeof(*configuration->actors_by_name),
		order_actors);
	qsort(configuration->listeners_by_name, n_listeners,
		sizeof(*configuration->listeners_by_name), order_names);
	return 0;
}

/* What is what it is already. */
static int refuse_second(const struct configured_listener *first, const char *text,
	const char *member, struct configuration_fault *fault)
{
	struct configuration_fault place;

	configuration_locate_listener(&place, first, NULL);
	return configuration_refuse(
		fault, "%.200s is the %s of %s already", text, member, place.path);
}

static int check_names_twice(
	const struct configuration *configuration, struct configuration_fault *fault)
{
	for (size_t i = 0; i < configuration->n_listeners; i++) {
		const struct configured_listener *listener = &configuration->listeners[i];
		const struct configured_listener *first =
			configuration_find_listener(configuration, listener->request.name);

		configuration_locate_listener(fault, listener, "name");
		if (first != listener)
			return refuse_second(first, listener->request.name, "name", fault);
	}
	return 0;
}

static int check_addresses_twice(
	const struct configuration *configuration, struct configuration_fault *fault)
{
	_cleanup_free_ const struct configured_listener **sorted =
		calloc(configuration->n_listeners + 1, sizeof(*sorted));
	size_t n = 0;

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < configuration->n_listeners; i++)
		if (!has_any_port(&configuration->listeners[i].address))
			sorted[n++] = &configuration->listeners[i];
	qsort(sorted, n, sizeof(*sorted), order_addresses);
	for (size_t i = 0; i < configuration->n_listeners; i++) {
		const struct configured_listener *listener = &configuration->listeners[i];
		const struct configured_listener *first =
			find_first(&listener, (void *const *)sorted, n, compare_addresses);

		configuration_locate_listener(fault, listener, "address");
		if (first && first != listener)
			return refuse_second(first, listener->request.address, "address", fault);
	}
	return 0;
}

static int check_twice(const struct configuration *configuration, struct configuration_fault *fault)
{
	int r;

	for (size_t i = 0; i < configuration->n_actors; i++) {
		const struct spec *spec = &configuration->actors[i];
		const struct spec *first = configuration_find_actor(configuration, spec->name);

		configuration_locate(fault, ACTORS, i, "name");
		if (first != spec)
			return configuration_refuse(fault,
				"%s is the name of " ACTORS "[%td] already", spec->name,
				first - configuration->actors);
	}
	r = check_names_twice(configuration, fault);
	return r < 0 ? r : check_addresses_twice(configuration, fault);
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
			return configuration_refuse(fault, "it must be an array of objects");
	}
	return 0;
}

static size_t count_array(const cJSON *object, const char *member)
{
	return (size_t)cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(object, member));
}

int configuration_check_number(
	const char *member, size_t n, size_t limit, struct configuration_fault *fault)
{
	if (n <= limit)
		return 0;
	(void)snprintf(fault->path, sizeof(fault->path), "%s", member);
	return configuration_refuse(fault,
		"there would be %zu, and there may be up to %zu; have some of them run by another "
		"inkod",
		n, limit);
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
	r = configuration_check_number(ACTORS, n_actors, LIMIT_ACTORS, fault);
	if (r == 0)
		r = configuration_check_number(LISTENERS, n_listeners, LIMIT_LISTENERS, fault);
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
		r = sort(&configuration);
	if (r == 0)
		r = check_twice(&configuration, ret_fault);
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

/* Writing. */

/* Leaves out of object what is as it is in defaults. */
static void leave_out(cJSON *object, const cJSON *defaults)
{
	const cJSON *member;

	cJSON_ArrayForEach(member, defaults) {
		const cJSON *said = cJSON_GetObjectItemCaseSensitive(object, member->string);

		if (said && cJSON_Compare(said, member, true))
			cJSON_DeleteItemFromObjectCaseSensitive(object, member->string);
	}
}

static bool is_named(char *const *names, const char *name)
{
	for (; names && *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

cJSON *configuration_encode_spec(
	struct supervisor *supervisor, const struct spec *spec, const struct spec *wanted)
{
	cJSON *object = json_encode(spec_fields, spec);
	cJSON *opens = cJSON_GetObjectItemCaseSensitive(object, "opens"), *name, *next;

	for (name = opens ? opens->child : NULL; name; name = next) {
		const struct actor *actor = actor_find(supervisor, name->valuestring);

		next = name->next;
		if ((!actor || actor->is_removing) &&
			!(wanted && is_named(wanted->opens, name->valuestring)))
			cJSON_Delete(cJSON_DetachItemViaPointer(opens, name));
	}
	if (opens && !opens->child)
		cJSON_DeleteItemFromObjectCaseSensitive(object, "opens");
	return object;
}

static cJSON *describe_spec(struct supervisor *supervisor, const struct spec *spec)
{
	cJSON *object = configuration_encode_spec(supervisor, spec, NULL), *defaults;
	struct spec initial;

	spec_init(&initial);
	/* What follows from the adapter is left out, the adapter itself is not. */
	initial.adapter = strdup(spec->adapter);
	if (initial.adapter && spec_complete(&initial) == 0) {
		defaults = json_encode(spec_fields, &initial);
		if (strcmp(spec->adapter, spec_about(spec_find("adapter"))->initial_text) != 0)
			cJSON_DeleteItemFromObjectCaseSensitive(defaults, "adapter");
		leave_out(object, defaults);
		cJSON_Delete(defaults);
	}
	spec_done(&initial);
	return object;
}

static cJSON *describe_listener(const struct listener *listener)
{
	const struct listener_request request = {.name = listener->name,
		.address = listener->address,
		.to = listener->to,
		.give = listener->give,
		.balance = listener->balance,
		.hold_usec = listener->hold_usec};
	struct listener_request initial;
	struct listener_refusal refusal;
	cJSON *object = json_encode(listener_request_fields, &request), *defaults;
	char name[LIMIT_NAME_CHARS + 1];

	if (listener_request_name_address(listener->address, name) == 0 &&
		strcmp(listener->name, name) == 0)
		cJSON_DeleteItemFromObjectCaseSensitive(object, "name");

	/* What a listener has of itself that is given away it has not of somebody's saying. */
	listener_request_init(&initial);
	initial.to = strdup("");
	if (initial.to && listener_request_check(&initial, &refusal) == 0) {
		defaults = json_encode(listener_request_fields, &initial);
		leave_out(object, defaults);
		cJSON_Delete(defaults);
	}
	listener_request_done(&initial);
	return object;
}

cJSON *configuration_describe(struct supervisor *supervisor)
{
	cJSON *object = cJSON_CreateObject();
	cJSON *actors = cJSON_AddArrayToObject(object, ACTORS);
	cJSON *listeners = cJSON_AddArrayToObject(object, LISTENERS);
	const struct listener *listener;
	const struct actor *actor;

	TAILQ_FOREACH(actor, &supervisor->actors, entries)
		if (!actor->is_builtin && !actor->is_removing)
			(void)cJSON_AddItemToArray(actors, describe_spec(supervisor, &actor->spec));
	TAILQ_FOREACH(listener, &supervisor->listeners, entries)
		if (!listener->is_closing && !listener->is_owned)
			(void)cJSON_AddItemToArray(listeners, describe_listener(listener));
	return object;
}

const char *configuration_origin(bool is_configured)
{
	return is_configured ? "configuration" : "hand";
}
