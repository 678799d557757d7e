#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/supervisor/counters.h"
#include "proto/descriptor.h"
#include "proto/json-fields.h"
#include "proto/json.h"

/* The numbers that have a name of their own. */
static const struct member {
	const char *name;
	size_t offset;
} members[] = {
	{"received", offsetof(struct counters, received)},
	{"connections", offsetof(struct counters, connections)},
	{"late", offsetof(struct counters, late)},
	{"moved", offsetof(struct counters, moved)},
	{"restarts", offsetof(struct counters, restarts)},
};

#define MEMBERS (sizeof(members) / sizeof(*members))

static uint64_t *number(const struct counters *sum, size_t i)
{
	return (uint64_t *)((char *)sum + members[i].offset);
}

/* Pages */

int counters_new_page(int *ret_fd)
{
	const uint32_t version = COUNTERS_VERSION;
	_cleanup_close_ int fd = memfd_create("inko-counters", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, sizeof(struct counters_page)) < 0)
		return -errno;
	if (pwrite(fd, &version, sizeof(version), offsetof(struct counters_page, version)) !=
		sizeof(version))
		return -errno;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	*ret_fd = descriptor_take(&fd);
	return 0;
}

const struct counters_page *counters_open_page(int fd)
{
	void *page;

	if (fd < 0)
		return NULL;
	page = mmap(NULL, sizeof(struct counters_page), PROT_READ, MAP_SHARED, fd, 0);
	return page == MAP_FAILED ? NULL : page;
}

const struct counters_page *counters_close_page(const struct counters_page *page)
{
	if (page)
		(void)munmap((void *)page, sizeof(*page));
	return NULL;
}

void counters_free_rows(
	int fd, bool (*is_there)(const void *context, const char *name), const void *context)
{
	struct counters_page *page =
		mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (page == MAP_FAILED)
		return;
	for (struct counters_row *row = page->rows; row < page->rows + COUNTERS_OTHER; row++) {
		char name[sizeof(row->name) + 1] = "";

		memcpy(name, row->name, sizeof(row->name));
		if (!is_there(context, name))
			memset(row->name, 0, sizeof(row->name));
	}
	(void)munmap(page, sizeof(*page));
}

/* Adding up */

static uint64_t clamp(uint64_t value)
{
	return value < (uint64_t)JSON_INTEGER_MAX ? value : (uint64_t)JSON_INTEGER_MAX;
}

static void add(uint64_t *sum, uint64_t value)
{
	*sum = clamp(clamp(*sum) + clamp(value));
}

void counters_add_page(struct counters *sum, int fd)
{
	const struct counters_page *page = counters_open_page(fd);

	if (!page)
		return;
	add(&sum->received, counters_get(&page->received));
	add(&sum->connections, counters_get(&page->connections));
	add(&sum->late, counters_get(&page->late));
	for (size_t i = 0; i < COUNTERS_BUCKETS; i++)
		add(&sum->buckets[i], counters_get(&page->buckets[i]));
	counters_close_page(page);
}

void counters_add(struct counters *sum, const struct counters *other)
{
	for (size_t i = 0; i < MEMBERS; i++)
		add(number(sum, i), *number(other, i));
	for (size_t i = 0; i < COUNTERS_BUCKETS; i++)
		add(&sum->buckets[i], other->buckets[i]);
}

static struct counters_source get_row(const struct counters_row *row)
{
	return (struct counters_source){.taken = clamp(counters_get(&row->taken)),
		.handed_over = clamp(counters_get(&row->handed_over)),
		.refused = clamp(counters_get(&row->refused))};
}

struct counters_source counters_find_source(const struct counters_page *page, const char *name)
{
	for (size_t i = 0; page && *name && i < COUNTERS_OTHER; i++)
		if (strncmp(page->rows[i].name, name, sizeof(page->rows[i].name)) == 0)
			return get_row(&page->rows[i]);
	return (struct counters_source){0};
}

struct counters_source counters_get_others(const struct counters_page *page)
{
	return page ? get_row(&page->rows[COUNTERS_OTHER]) : (struct counters_source){0};
}

int64_t counters_percentile(const struct counters *sum, unsigned int percent)
{
	/* Exact as long as they are no garbage, and no overflow if they are. */
	double all = 0, below = 0;

	for (size_t i = 0; i < COUNTERS_BUCKETS; i++)
		all += (double)sum->buckets[i];
	if (all == 0)
		return -1;
	for (size_t i = 0; i < COUNTERS_BUCKETS; i++) {
		below += (double)sum->buckets[i];
		if (below * 100 >= all * percent)
			return INT64_C(1) << i;
	}
	return INT64_C(1) << (COUNTERS_BUCKETS - 1);
}

/* As JSON */

static bool add_members(const struct counters *sum, cJSON *object)
{
	bool all = true;

	for (size_t i = 0; i < MEMBERS; i++)
		all &= cJSON_AddItemToObject(
			object, members[i].name, json_new_integer((int64_t)*number(sum, i)));
	return all;
}

cJSON *counters_encode(const struct counters *sum)
{
	cJSON *object = cJSON_CreateObject(), *buckets = cJSON_AddArrayToObject(object, "buckets");
	bool all = add_members(sum, object);

	for (size_t i = 0; i < COUNTERS_BUCKETS; i++)
		all &= cJSON_AddItemToArray(buckets, json_new_integer((int64_t)sum->buckets[i]));
	if (!all)
		abort();
	return object;
}

static uint64_t decode_number(const cJSON *item)
{
	double value = cJSON_IsNumber(item) ? item->valuedouble : 0;

	return value >= 0 && value <= (double)JSON_INTEGER_MAX ? (uint64_t)value : 0;
}

void counters_decode(const cJSON *object, struct counters *ret_sum)
{
	const cJSON *buckets = cJSON_GetObjectItemCaseSensitive(object, "buckets");

	for (size_t i = 0; i < MEMBERS; i++)
		*number(ret_sum, i) =
			decode_number(cJSON_GetObjectItemCaseSensitive(object, members[i].name));
	for (size_t i = 0; i < COUNTERS_BUCKETS; i++)
		ret_sum->buckets[i] = decode_number(cJSON_GetArrayItem(buckets, (int)i));
}

static void add_percentile(
	const struct counters *sum, unsigned int percent, const char *name, cJSON *object)
{
	int64_t usec = counters_percentile(sum, percent);

	if (usec >= 0)
		(void)cJSON_AddItemToObject(object, name, json_new_integer(usec));
}

void counters_describe(const struct counters *sum, cJSON *object)
{
	cJSON *histogram;

	(void)add_members(sum, object);
	add_percentile(sum, 50, "p50USec", object);
	add_percentile(sum, 99, "p99USec", object);
	histogram = cJSON_AddArrayToObject(object, "histogram");
	for (size_t i = 0; i < COUNTERS_BUCKETS; i++) {
		cJSON *bucket;

		if (sum->buckets[i] == 0)
			continue;
		bucket = cJSON_CreateObject();
		(void)cJSON_AddItemToObject(
			bucket, "leUSec", json_new_integer((int64_t)(UINT64_C(1) << i)));
		(void)cJSON_AddItemToObject(
			bucket, "count", json_new_integer((int64_t)sum->buckets[i]));
		(void)cJSON_AddItemToArray(histogram, bucket);
	}
}
