#include "libclient/counters.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "libclient/wait.h"
#include "proto/counters.h"
#include "proto/descriptor.h"

struct inko_tally {
	struct counters_row row; /* of the page; a tally is nothing else */
};

/* Nobody can shorten it under us, which would end this process by SIGBUS. */
static bool is_page(int fd)
{
	struct stat status;
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & F_SEAL_SHRINK) && fstat(fd, &status) == 0 &&
	       status.st_size >= (off_t)sizeof(struct counters_page);
}

struct counters_page *counters_map(int *take_fd)
{
	_cleanup_close_ int fd = descriptor_take(take_fd);
	struct counters_page *page;

	if (fd < 0 || !is_page(fd))
		return NULL;
	page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return NULL;
	return page->version == COUNTERS_VERSION ? page : counters_unmap(page);
}

struct counters_page *counters_unmap(struct counters_page *page)
{
	if (page)
		(void)munmap(page, sizeof(*page));
	return NULL;
}

static void note_connection(struct counters_page *page, uint64_t accepted_usec)
{
	uint64_t now_usec = wait_now_usec();
	/* The time is the sender's word. */
	uint64_t usec = accepted_usec < now_usec ? now_usec - accepted_usec : 0;

	counters_increment(&page->connections);
	counters_increment(&page->buckets[counters_bucket(usec)]);
	if (usec > COUNTERS_LATE_USEC)
		counters_increment(&page->late);
}

void counters_note_received(struct counters_page *page, const struct envelope *envelope)
{
	if (!page)
		return;
	counters_increment(&page->received);
	if (envelope->kind == ENVELOPE_CONNECTION)
		note_connection(page, envelope->time_usec);
}

/* A row is somebody's once its name begins: killed before that, it was never taken. */
static void name_row(struct counters_row *row, const char *name)
{
	row->taken = row->handed_over = row->refused = 0;
	memset(row->name + 1, 0, sizeof(row->name) - 1);
	(void)strcpy(row->name + 1, name + 1);
	__atomic_store_n(&row->name[0], name[0], __ATOMIC_RELEASE);
}

struct inko_tally *counters_find_row(struct counters_page *page, const char *name)
{
	struct counters_row *unused = NULL, *row;

	if (!page || !*name || strlen(name) >= sizeof(row->name))
		return NULL;
	for (row = page->rows; row < page->rows + COUNTERS_OTHER; row++) {
		if (strncmp(row->name, name, sizeof(row->name)) == 0)
			return (struct inko_tally *)row;
		if (!row->name[0] && !unused)
			unused = row;
	}
	if (!unused)
		return (struct inko_tally *)&page->rows[COUNTERS_OTHER];
	name_row(unused, name);
	return (struct inko_tally *)unused;
}

void inko_tally_add(struct inko_tally *tally, enum inko_tally_what what)
{
	if (!tally)
		return;
	switch (what) {
	case INKO_TALLY_TAKEN:
		counters_increment(&tally->row.taken);
		return;
	case INKO_TALLY_HANDED_OVER:
		counters_increment(&tally->row.handed_over);
		return;
	case INKO_TALLY_REFUSED:
		counters_increment(&tally->row.refused);
		return;
	}
}

struct inko_tally *inko_tally_forget(struct inko_tally *tally)
{
	/* That of all others, which has no name, is theirs. */
	if (tally && tally->row.name[0]) {
		memset(&tally->row.name[1], 0, sizeof(tally->row.name) - 1);
		__atomic_store_n(&tally->row.name[0], '\0', __ATOMIC_RELEASE);
	}
	return NULL;
}
