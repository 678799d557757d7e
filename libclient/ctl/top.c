/*
 * A live view of what is busy: the difference between two rounds of what inkod says.
 *
 * A round that inkod does not answer, because its supervisor is just being replaced or hangs,
 * leaves the last picture where it is, and says so.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "errors.h"
#include "printable.h"
#include "reply.h"
#include "screen.h"
#include "table.h"
#include "terminal.h"
#include "verbs.h"

#define DELAY_USEC 1000000
#define DELAY_MIN_USEC 100000
#define DELAY_MAX_USEC INT64_C(3600000000)
/* A key is not to wait longer for an inkod that does not answer. */
#define PATIENCE_USEC 1000000
#define PAUSE_MSEC 100

/* What inkod said at one time. */
struct round {
	cJSON *status, *counters;
	int64_t at_usec;
};

struct top {
	struct session *session;
	const char *actor; /* only this one, or NULL */
	int64_t delay_usec;
	int64_t rounds; /* that are left, or -1 */
	struct round now, before;
	bool silent; /* the last round got no answer */
	unsigned int passed;
};

static const struct column actor_columns[] = {
	{"NAME", 0, COLUMN_PLAIN, 8},
	{"STATE", 0, COLUMN_PLAIN, 6},
	{"MESSAGES", 0, COLUMN_RIGHT, 5},
	{"CONN/S", 0, COLUMN_RIGHT, 7},
	{"MSG/S", 0, COLUMN_RIGHT, 3},
	{"P50", 0, COLUMN_RIGHT, 2},
	{"P99", 0, COLUMN_RIGHT, 4},
	{"RESTARTS", 0, COLUMN_RIGHT, 1},
	{},
};

static const struct column listener_columns[] = {
	{"LISTENER", 0, COLUMN_PLAIN, 5},
	{"STATE", 0, COLUMN_PLAIN, 4},
	{"ACCEPTED/S", 0, COLUMN_RIGHT, 3},
	{"REFUSED/S", 0, COLUMN_RIGHT, 2},
	{"LEADS TO", 0, COLUMN_PLAIN, 1},
	{},
};

static void round_done(struct round *round)
{
	cJSON_Delete(round->status);
	cJSON_Delete(round->counters);
	*round = (struct round){};
}

/* The object of array (a member of reply) with that name, or NULL. */
static const cJSON *find(const cJSON *reply, const char *array, const char *name)
{
	const cJSON *object;

	cJSON_ArrayForEach(object, reply_member(reply, array)) {
		if (strcmp(reply_shown(object, "name"), name) == 0)
			return object;
	}
	return NULL;
}

/* The same object in two rounds: what it has counted, and before. Both may be NULL. */
struct counted {
	const cJSON *now, *before;
	double seconds;
};

static struct counted find_counted(const struct top *top, const char *array, const char *name)
{
	return (struct counted){
		.now = find(top->now.counters, array, name),
		.before = find(top->before.counters, array, name),
		.seconds = (double)(top->now.at_usec - top->before.at_usec) / 1e6,
	};
}

/* One of that name that was made since counts from 0 again. */
static bool went_on(const struct counted *counted, const char *member)
{
	return counted->now && counted->before && counted->seconds > 0 &&
	       reply_number(counted->now, member) >= reply_number(counted->before, member);
}

static void add_rate(struct table *table, const struct counted *counted, const char *member)
{
	double rate;

	if (!went_on(counted, member)) {
		table_add(table, TONE_PLAIN, "-");
		return;
	}
	rate = (double)(reply_number(counted->now, member) -
			reply_number(counted->before, member)) /
	       counted->seconds;
	table_add(table, TONE_PLAIN, rate > 0 && rate < 9.95 ? "%.1f" : "%.0f", rate);
}

static int64_t count_of(const cJSON *counters, int64_t le_usec)
{
	const cJSON *bucket;

	cJSON_ArrayForEach(bucket, reply_member(counters, "histogram")) {
		if (reply_number(bucket, "leUSec") == le_usec)
			return reply_number(bucket, "count");
	}
	return 0;
}

/* What so many in 100 of the connections since the last round took at most, or -1 if there were
 * none. */
static int64_t find_share(const struct counted *counted, int percent)
{
	const cJSON *bucket, *histogram = reply_member(counted->now, "histogram");
	int64_t total = 0, passed = 0;

	cJSON_ArrayForEach(bucket, histogram) {
		total += reply_number(bucket, "count") -
			 count_of(counted->before, reply_number(bucket, "leUSec"));
	}
	cJSON_ArrayForEach(bucket, histogram) {
		int64_t le_usec = reply_number(bucket, "leUSec");

		passed += reply_number(bucket, "count") - count_of(counted->before, le_usec);
		if (total > 0 && passed * 100 >= total * percent)
			return le_usec;
	}
	return -1;
}

static void add_share(struct table *table, const struct counted *counted, int percent)
{
	table_add_time(table, went_on(counted, "connections") ? find_share(counted, percent) : -1);
}

static void add_counted(struct table *table, const struct counted *counted)
{
	add_rate(table, counted, "connections");
	add_rate(table, counted, "received");
	add_share(table, counted, 50);
	add_share(table, counted, 99);
}

static int64_t sum_messages(const cJSON *actor)
{
	const cJSON *instance;
	int64_t total = 0;

	cJSON_ArrayForEach(instance, reply_member(actor, "instances")) {
		total += reply_number(instance, "messages");
	}
	return total;
}

static void add_row(struct table *table, const struct top *top, const char *array,
	const cJSON *object, int64_t messages)
{
	const char *name = reply_shown(object, "name");
	const struct counted counted = find_counted(top, array, name);

	table_add(table, TONE_PLAIN, "%s%s", strchr(name, '/') ? "  " : "", name);
	table_add_state(table, reply_shown(object, "state"));
	table_add(table, TONE_PLAIN, "%" PRId64, messages);
	add_counted(table, &counted);
	table_add(table, TONE_PLAIN, "%" PRId64, reply_number(object, "restarts"));
}

static void add_actor(struct table *table, const struct top *top, const cJSON *actor)
{
	const cJSON *instance;

	if (top->actor && strcmp(reply_shown(actor, "name"), top->actor) != 0)
		return;
	add_row(table, top, "actors", actor, sum_messages(actor));
	cJSON_ArrayForEach(instance, reply_member(actor, "instances")) {
		add_row(table, top, "instances", instance, reply_number(instance, "messages"));
	}
}

static void add_listener(struct table *table, const struct top *top, const cJSON *listener)
{
	const char *to = reply_text(listener, "to");
	const struct counted counted =
		find_counted(top, "listeners", reply_shown(listener, "name"));

	if (!to)
		to = reply_shown(listener, "give");
	if (top->actor && strcmp(to, top->actor) != 0)
		return;
	table_add(table, TONE_PLAIN, "%s", reply_shown(listener, "name"));
	table_add_state(table, reply_shown(listener, "state"));
	add_rate(table, &counted, "accepted");
	add_rate(table, &counted, "refused");
	table_add(table, TONE_PLAIN, "%s", to);
}

static int print_rows(const struct top *top, const char *array, const struct column *columns,
	void (*add)(struct table *table, const struct top *top, const cJSON *object), FILE *output)
{
	struct table *table = table_new(columns);
	const cJSON *object;
	int status;

	if (!table)
		return complain(STATUS_REFUSED, "there is not enough memory");
	cJSON_ArrayForEach(object, reply_member(top->now.status, array)) {
		add(table, top, object);
	}
	status = table_print(table, &top->session->look, output);
	table_free(table);
	return status;
}

/* One line, cut to the terminal. */
static void print_head(const struct top *top, FILE *output)
{
	const cJSON *actor, *status = top->now.status;
	int n_ready = 0, n_wanted = 0;
	char text[512], clock[16] = "";
	time_t seconds = time(NULL);
	struct tm local;
	size_t width = top->session->look.width;

	if (localtime_r(&seconds, &local))
		(void)strftime(clock, sizeof(clock), "%H:%M:%S", &local);
	cJSON_ArrayForEach(actor, reply_member(status, "actors")) {
		n_ready += reply_count_ready(actor);
		n_wanted += cJSON_GetArraySize(reply_member(actor, "instances")) -
			    reply_count_retiring(actor);
	}
	(void)snprintf(text, sizeof(text), "%s  %sinkod %s: %d actors, %d of %d instances ready",
		clock, top->silent ? "no answer, this was the last of " : "",
		reply_shown(status, "version"), cJSON_GetArraySize(reply_member(status, "actors")),
		n_ready, n_wanted);
	fprintf(output, "%.*s\n\n", width ? (int)printable_prefix(text, width) : -1, text);
}

static int print_round(const struct top *top, FILE *output)
{
	int status;

	print_head(top, output);
	status = print_rows(top, "actors", actor_columns, add_actor, output);
	if (status == STATUS_DONE && reply_member(top->now.status, "listeners")) {
		fputc('\n', output);
		status = print_rows(top, "listeners", listener_columns, add_listener, output);
	}
	return status;
}

static int print_json(const struct top *top)
{
	char *status = cJSON_PrintUnformatted(top->now.status);
	char *counters = cJSON_PrintUnformatted(top->now.counters);
	bool whole = status && counters;

	if (whole)
		printf("{\"status\":%s,\"counters\":%s}\n", status, counters);
	free(status);
	free(counters);
	return whole ? STATUS_DONE : complain(STATUS_REFUSED, "there is not enough memory");
}

/* A negative errno when inkod did not answer: the last round stays. */
static int ask(struct top *top)
{
	cJSON *nothing = cJSON_CreateObject();
	struct round round = {};
	int r;

	if (!nothing)
		return -ENOMEM;
	r = session_ask(top->session, "GetStatus", nothing, &round.status);
	if (r == 0)
		r = session_ask(top->session, "GetCounters", nothing, &round.counters);
	cJSON_Delete(nothing);
	top->silent = r < 0;
	if (r < 0) {
		round_done(&round);
		return r;
	}
	round.at_usec = clock_usec();
	round_done(&top->before);
	top->before = top->now;
	top->now = round;
	return 0;
}

static bool is_over(struct top *top)
{
	return top->rounds >= 0 && top->rounds-- == 0;
}

/* On paper: round after round, each whole. */
static int print_batch(struct top *top)
{
	int64_t end_usec;
	int status = STATUS_DONE, r;

	while (status == STATUS_DONE && !is_over(top)) {
		status = top->session->json ? print_json(top) : print_round(top, stdout);
		if (status == STATUS_DONE)
			status = terminal_flush();
		if (status != STATUS_DONE || top->rounds == 0)
			return status;
		if (terminal_is_gone((int)(top->delay_usec / 1000)))
			return STATUS_REFUSED;
		end_usec = clock_usec() + (int64_t)SESSION_PATIENCE_USEC;
		r = ask(top);
		while (r < 0 && clock_usec() < end_usec && !terminal_is_gone(PAUSE_MSEC))
			r = ask(top);
		if (r < 0)
			return session_complain_call(top->session, r);
		if (!top->session->json)
			putchar('\n');
	}
	return status;
}

static int draw(const struct screen *screen, struct top *top)
{
	char *text = NULL;
	size_t size;
	FILE *output = open_memstream(&text, &size);
	int status;

	if (!output)
		return complain(STATUS_REFUSED, "there is not enough memory");
	top->session->look.width = terminal_columns();
	status = print_round(top, output);
	if (fclose(output) == 0)
		top->passed = screen_draw(screen, text, top->passed);
	free(text);
	return status;
}

/* Until the next round is due. False when that will not be seen. */
static bool wait_for_round(struct screen *screen, struct top *top)
{
	int64_t due_usec = clock_usec() + top->delay_usec;

	for (;;) {
		int64_t left_usec = due_usec - clock_usec();

		if (left_usec <= 0)
			return true;
		switch (screen_wait(screen, (int)(left_usec / 1000) + 1)) {
		case SCREEN_TIMEOUT:
			continue;
		case SCREEN_QUIT:
			return false;
		case SCREEN_UP:
			top->passed -= top->passed > 0;
			break;
		case SCREEN_DOWN:
			top->passed++;
			break;
		case SCREEN_RESIZED:
			break;
		}
		if (draw(screen, top) != STATUS_DONE)
			return false;
	}
}

static int show(struct screen *screen, void *userdata)
{
	struct top *top = userdata;
	int status = STATUS_DONE;

	while (status == STATUS_DONE && !is_over(top)) {
		status = draw(screen, top);
		if (status != STATUS_DONE || !wait_for_round(screen, top))
			return status;
		(void)ask(top);
	}
	return status;
}

static int read_options(struct top *top, const struct verb *verb, const cJSON *parameters)
{
	if (reply_member(parameters, "delayUSec"))
		top->delay_usec = reply_number(parameters, "delayUSec");
	if (reply_member(parameters, "rounds"))
		top->rounds = reply_number(parameters, "rounds");
	if (top->delay_usec < DELAY_MIN_USEC || top->delay_usec > DELAY_MAX_USEC)
		return complain_usage(verb->name, "--delay may be 100ms to 1h");
	if (top->rounds == 0)
		return complain_usage(verb->name, "--rounds may be 1 or more");
	return STATUS_DONE;
}

/* The first round says what is wrong, as other verbs do. */
static int ask_first(struct top *top)
{
	int r, status = session_open(top->session);

	if (status != STATUS_DONE)
		return status;
	r = ask(top);
	if (r < 0)
		return session_complain_call(top->session, r);
	if (top->actor && !find(top->now.status, "actors", top->actor))
		return complain(STATUS_REFUSED,
			"there is no actor %s; 'inkoctl list' shows those that are", top->actor);
	return STATUS_DONE;
}

int run_top(struct session *session, const struct verb *verb, cJSON *parameters)
{
	struct top top = {
		.session = session,
		.actor = reply_text(parameters, "actor"),
		.delay_usec = DELAY_USEC,
		.rounds = -1,
	};
	bool batch = session->json || reply_member(parameters, "batch") || !terminal_is_there();
	int status = read_options(&top, verb, parameters);

	session->patience_usec = PATIENCE_USEC;
	if (status == STATUS_DONE)
		status = ask_first(&top);
	if (status == STATUS_DONE)
		status = batch ? print_batch(&top) : screen_run(show, &top);
	round_done(&top.now);
	round_done(&top.before);
	return status;
}
