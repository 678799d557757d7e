#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/configuration-fault.h"
#include "daemon/supervisor/configuration-lookup.h"
#include "daemon/supervisor/configuration.h"
#include "proto/descriptor.h"

/* Arrays of pointers to elements, of which those that are equal stay in their order. */

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

const struct spec *configuration_lookup_actor(
	const struct configuration *configuration, const char *name)
{
	const struct spec wanted = {.name = (char *)name}, *key = &wanted;

	return find_first(&key, (void *const *)configuration->actors_by_name,
		configuration->n_actors, compare_actors);
}

const struct configured_listener *configuration_lookup_listener(
	const struct configuration *configuration, const char *name)
{
	const struct configured_listener wanted = {.request.name = (char *)name}, *key = &wanted;

	return find_first(&key, (void *const *)configuration->listeners_by_name,
		configuration->n_listeners, compare_names);
}

int configuration_lookup_sort(struct configuration *configuration)
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

	configuration_fault_locate_listener(&place, first, NULL);
	return configuration_fault_refuse(
		fault, "%.200s is the %s of %s already", text, member, place.path);
}

static int check_names_twice(
	const struct configuration *configuration, struct configuration_fault *fault)
{
	for (size_t i = 0; i < configuration->n_listeners; i++) {
		const struct configured_listener *listener = &configuration->listeners[i];
		const struct configured_listener *first =
			configuration_lookup_listener(configuration, listener->request.name);

		configuration_fault_locate_listener(fault, listener, "name");
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
		if (!address_has_any_port(&configuration->listeners[i].address))
			sorted[n++] = &configuration->listeners[i];
	qsort(sorted, n, sizeof(*sorted), order_addresses);
	for (size_t i = 0; i < configuration->n_listeners; i++) {
		const struct configured_listener *listener = &configuration->listeners[i];
		const struct configured_listener *first =
			find_first(&listener, (void *const *)sorted, n, compare_addresses);

		configuration_fault_locate_listener(fault, listener, "address");
		if (first && first != listener)
			return refuse_second(first, listener->request.address, "address", fault);
	}
	return 0;
}

int configuration_lookup_check_twice(
	const struct configuration *configuration, struct configuration_fault *fault)
{
	int r;

	for (size_t i = 0; i < configuration->n_actors; i++) {
		const struct spec *spec = &configuration->actors[i];
		const struct spec *first = configuration_lookup_actor(configuration, spec->name);

		configuration_fault_locate(fault, "actors", i, "name");
		if (first != spec)
			return configuration_fault_refuse(fault,
				"%s is the name of actors[%td] already", spec->name,
				first - configuration->actors);
	}
	r = check_names_twice(configuration, fault);
	return r < 0 ? r : check_addresses_twice(configuration, fault);
}
