#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "daemon/supervisor/apply.h"
#include "daemon/supervisor/configuration-fault.h"
#include "daemon/supervisor/configuration-file.h"
#include "daemon/supervisor/files.h"
#include "daemon/supervisor/held.h"
#include "daemon/supervisor/holding.h"
#include "daemon/supervisor/log.h"
#include "daemon/supervisor/plan.h"
#include "daemon/supervisor/supervisor.h"
#include "daemon/supervisor/systemd-socket.h"
#include "proto/descriptor.h"
#include "proto/json.h"
#include "proto/keep.h"

#define KEY "configuration"

/* Who served before, and was killed, may have its listeners open until its last actor has ended. */
#define TRIES 100
#define PAUSE_USEC UINT64_C(50000)

/* It has no state but itself. */
static const struct json_field no_fields[] = {JSON_FIELDS_END};

/* Where it is, a leading '-' included, or NULL where there shall be none. */
static const char *find_path(void)
{
	const char *path = getenv("INKO_CONFIG");

	return path && path[0] ? path : NULL;
}

static bool is_for_later(const char *key)
{
	return strcmp(key, KEEP_VERSION) != 0 &&
	       strncmp(key, KEEP_SOCKET, strlen(KEEP_SOCKET)) != 0;
}

void configuration_file_begin(struct supervisor *supervisor, const struct held *held)
{
	bool is_begun = false;

	for (size_t i = 0; i < held->n; i++)
		is_begun |= is_for_later(held->messages[i].key);
	supervisor->is_unconfigured = held_find(held, KEY) || !is_begun;
	if (supervisor->is_unconfigured && find_path())
		holding_put(supervisor->holding, KEY, no_fields, NULL, NULL, 0);
}

/* Reading. */

static int read_all(int fd, char *text, size_t size, size_t *ret_size)
{
	size_t done = 0;
	ssize_t n = 1;

	while (done < size && n > 0) {
		n = read(fd, text + done, size - done);
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	*ret_size = done;
	return 0;
}

/* *ret_object is NULL where there is no such file, and need be none. */
static int read_file(const char *path, bool may_be_missing, cJSON **ret_object,
	struct configuration_fault *fault)
{
	/* Whoever opens a FIFO otherwise waits for somebody to write to it. */
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	_cleanup_free_ char *text = malloc(LIMIT_FRAME_BYTES + 1);
	struct stat st;
	size_t size = 0;
	int r;

	*ret_object = NULL;
	if (fd < 0 && errno == ENOENT && may_be_missing)
		return 0;
	if (fd < 0)
		return configuration_fault_refuse(
			fault, "it cannot be opened: %s", strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return configuration_fault_refuse(fault, "it is no regular file");
	r = text ? read_all(fd, text, LIMIT_FRAME_BYTES + 1, &size) : -ENOMEM;
	if (r < 0)
		return configuration_fault_refuse(fault, "it cannot be read: %s", strerror(-r));
	if (size > LIMIT_FRAME_BYTES)
		return configuration_fault_refuse(
			fault, "it is longer than %u KiB", LIMIT_FRAME_BYTES >> 10);
	if (json_parse(text, size, ret_object) < 0) {
		json_explain(text, size, fault->reason, sizeof(fault->reason));
		return -EINVAL;
	}
	return 0;
}

/* A leading '-' says that the file may be missing. */
static int make_plan(
	struct supervisor *supervisor, struct plan **ret_plan, struct configuration_fault *fault)
{
	const char *path = find_path();
	bool may_be_missing = path[0] == '-';
	const struct spec_asker asker = {.uid = geteuid(), .runtime = supervisor->runtime};
	cJSON *object;
	int r = read_file(path + may_be_missing, may_be_missing, &object, fault);

	*ret_plan = NULL;
	if (object)
		r = plan_make(supervisor, &asker, object, false, false, ret_plan, fault);
	cJSON_Delete(object);
	return r;
}

/* Applying. */

static void complain(const struct configuration_fault *fault, const char *consequence)
{
	const char *path = find_path();

	log_error("%s: %s%s%s; %s", path + (path[0] == '-'), fault->path,
		fault->path[0] ? ": " : "", fault->reason, consequence);
}

static int refuse(struct supervisor *supervisor, const struct configuration_fault *fault)
{
	complain(fault, "nothing was opened, and inkod ends");
	files_remove(supervisor->runtime, !systemd_socket_has(supervisor, SYSTEMD_SOCKET_CONTROL));
	holding_refuse_start(supervisor->holding, fault->is_transient ? EXIT_FAILURE : EX_CONFIG);
	return -ECANCELED;
}

static void on_begun(struct supervisor *supervisor)
{
	supervisor->is_unconfigured = false;
	holding_drop(supervisor->holding, KEY);
}

/* Whoever asks what there is is told all of it. */
static int run_until_begun(struct supervisor *supervisor)
{
	int r = 0;

	while (r >= 0 && supervisor->is_unconfigured)
		r = sd_event_run(supervisor->event, UINT64_MAX);
	/* Somebody wants this process to end already. */
	if (sd_event_get_state(supervisor->event) == SD_EVENT_FINISHED)
		return -ECANCELED;
	return r < 0 ? r : 0;
}

static int on_paused(sd_event_source *source, uint64_t usec, void *userdata)
{
	bool *is_over = userdata;

	(void)source;
	(void)usec;
	*is_over = true;
	return 0;
}

/* -ECANCELED when this process is to end. */
static int pause_for(struct supervisor *supervisor, uint64_t usec)
{
	sd_event_source *timer = NULL;
	bool is_over = false;
	int r = sd_event_add_time_relative(
		supervisor->event, &timer, CLOCK_MONOTONIC, usec, 1, on_paused, &is_over);

	while (r >= 0 && sd_event_get_state(supervisor->event) != SD_EVENT_FINISHED &&
		(!is_over || supervisor->stopping))
		r = sd_event_run(supervisor->event, UINT64_MAX);
	sd_event_source_disable_unref(timer);
	if (sd_event_get_state(supervisor->event) == SD_EVENT_FINISHED)
		return -ECANCELED;
	return r < 0 ? r : 0;
}

/* Somebody who is in the way may go. */
static int make_plan_patiently(
	struct supervisor *supervisor, struct plan **ret_plan, struct configuration_fault *fault)
{
	int r = make_plan(supervisor, ret_plan, fault);

	for (int i = 1; r < 0 && fault->is_transient && i < TRIES; i++) {
		r = pause_for(supervisor, PAUSE_USEC);
		if (r < 0)
			return r;
		r = make_plan(supervisor, ret_plan, fault);
	}
	return r;
}

int configuration_file_apply(struct supervisor *supervisor)
{
	struct configuration_fault fault = {0};
	struct plan *plan = NULL;
	int r;

	if (!supervisor->is_unconfigured || !find_path())
		return 0;
	r = make_plan_patiently(supervisor, &plan, &fault);
	if (r == -ECANCELED)
		return r;
	if (r < 0 && TAILQ_EMPTY(&supervisor->actors) && TAILQ_EMPTY(&supervisor->listeners))
		return refuse(supervisor, &fault);
	if (r < 0)
		complain(&fault, "what was begun of it before goes on; put it right, and "
				 "'inkoctl apply' it");
	if (r < 0 || !plan) {
		on_begun(supervisor);
		return 0;
	}
	r = apply_begin(supervisor, plan, NULL, on_begun);
	return r < 0 ? r : run_until_begun(supervisor);
}
