/*
 * What stands where a host name is expected. Names come from a table (names.h) but for those that
 * the C library is asked for: localhost, and what can never be a name.
 */

#include "tests/unit/names.h"
#include "tests/unit/tasks.h"

#include "libclient/wait.h"

#include <inko/resolve.h>

#define PAST_USEC 1

static void test_name(void **state)
{
	_cleanup_free_ struct inko_ip *ips = NULL;
	size_t n;

	(void)state;
	assert_int_equal(inko_resolve("both.test", 0, &ips, &n), 0);
	assert_int_equal(n, 3);
	assert_ip(&ips[0], "2001:db8::1");
	assert_ip(&ips[2], "192.0.2.2");
	assert_int_not_equal(names.threads[0], gettid());
	/* Outside of tasks a thread ends with its name. */
	names_wait_for_no_thread();
}

static void test_errors(void **state)
{
	struct inko_ip *ips = NULL;
	size_t n = 4711;

	(void)state;
	assert_int_equal(inko_resolve("missing.test", 0, &ips, &n), -ENOENT);
	assert_int_equal(inko_resolve("empty.test", 0, &ips, &n), -ENODATA);
	assert_int_equal(inko_resolve("later.test", 0, &ips, &n), -EAGAIN);
	assert_null(ips);
	assert_int_equal(n, 4711);
}

/* The text of an address is no question, and needs no deadline to be met. */
static void test_text(void **state)
{
	static const char *const texts[] = {"127.0.0.1", "0.0.0.0", "2001:db8::1", "::"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		_cleanup_free_ struct inko_ip *ips = NULL;
		size_t n;

		assert_int_equal(inko_resolve(texts[i], PAST_USEC, &ips, &n), 0);
		assert_int_equal(n, 1);
		assert_ip(&ips[0], texts[i]);
	}
	assert_int_equal(names_count_asked(), 0);
}

/* What the C library takes for an address though it is none never gets there. */
static void test_not_a_name(void **state)
{
	static const char *const texts[] = {"", "127.1", "0x7f.0.0.1", "0177.0.0.1", "2130706433",
		"127.0.0.1 ", "127.0.0.1 x", "127.0.0.01", "[::1]", "::1%lo", ":", "one.test:80",
		"::1 "};
	struct inko_ip *ips;
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(inko_resolve(texts[i], 0, &ips, &n), -EINVAL);
	assert_int_equal(names_count_asked(), 0);
}

/* 253 characters are the longest name, and a dot may stand behind it. */
static void test_length(void **state)
{
	char host[256];
	struct inko_ip *ips;
	size_t n;

	(void)state;
	memset(host, 'a', sizeof(host));
	for (size_t i = 63; i < sizeof(host); i += 64)
		host[i] = '.';
	host[253] = '.';
	host[254] = '\0';
	assert_int_equal(inko_resolve(host, 0, &ips, &n), -ENOENT);
	assert_int_equal(names_count_asked(), 1);
	assert_string_equal(names.hosts[0], host);
	host[254] = 'a';
	host[255] = '\0';
	assert_int_equal(inko_resolve(host, 0, &ips, &n), -ENAMETOOLONG);
	assert_int_equal(names_count_asked(), 1);
}

/* Nobody waits longer than the deadline for a name that has no answer, and everything the name
 * needs ends when it has one. */
static void test_deadline(void **state)
{
	uintptr_t n_fds = leaks_count_fds();
	struct inko_ip *ips;
	size_t n;

	(void)state;
	assert_int_equal(inko_resolve("held.test", PAST_USEC, &ips, &n), -ETIMEDOUT);
	assert_int_equal(inko_resolve("held.test", wait_now_usec() + 1000, &ips, &n), -ETIMEDOUT);
	assert_int_equal(leaks_count_fds(), n_fds);
}

/* The C library's own, in the thread. */
static void test_localhost(void **state)
{
	struct inko_ip *ips;
	size_t n;

	(void)state;
	names_leave_to_library();
	assert_int_equal(inko_resolve("localhost", 0, &ips, &n), 0);
	assert_true(n >= 1);
	for (size_t i = 0; i < n; i++) {
		bool is_v4 = ips[i].version == 4 && ips[i].bytes[0] == 127;
		struct inko_ip v6 = inko_ip_v6((uint16_t[8]){[7] = 1});

		assert_true(is_v4 || inko_ip_equal(&ips[i], &v6));
	}
	free(ips);
}

/* .invalid (RFC 6761) has no address anywhere; without a network it cannot be told. */
static void test_invalid(void **state)
{
	uint64_t deadline_usec = wait_now_usec() + 10000000;
	struct inko_ip *ips = NULL;
	size_t n;
	int r;

	(void)state;
	names_leave_to_library();
	r = inko_resolve("nobody.invalid", deadline_usec, &ips, &n);
	assert_true(r == -ENOENT || r == -EAGAIN || r == -ETIMEDOUT);
	assert_null(ips);
}

/* In tasks */

struct client {
	const char *host;
	struct record *record;
	char letter; /* that is recorded once the host has its addresses, or none */
	int result;
};

static int resolve_task(struct inko_mailbox *mailbox, void *argument)
{
	struct client *client = argument;
	struct inko_ip *ips = NULL;
	size_t n;

	(void)mailbox;
	client->result = inko_resolve(client->host, 0, &ips, &n);
	if (client->record)
		record_add(client->record, client->letter);
	free(ips);
	return client->result;
}

static int let_go_task(struct inko_mailbox *mailbox, void *argument)
{
	(void)mailbox;
	record_add(argument, 'l');
	names_let_go();
	return 0;
}

/* While one waits for its name the others run; the names share one thread. */
static void test_task(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct record record = {0};
	struct client held = {.host = "held.test", .record = &record, .letter = 'h'};
	struct client one = {.host = "one.test", .record = &record, .letter = 'o'};
	struct client text = {.host = "192.0.2.1", .record = &record, .letter = 't'};

	(void)state;
	start_detached(runtime, "held", resolve_task, &held);
	start_detached(runtime, "one", resolve_task, &one);
	start_detached(runtime, "text", resolve_task, &text);
	start_detached(runtime, "let go", let_go_task, &record);
	assert_int_equal(inko_runtime_run(runtime), 0);
	assert_int_equal(held.result, 0);
	assert_int_equal(one.result, 0);
	assert_memory_equal(record.text, "tl", 2);
	assert_int_equal(record.n, 4);
	assert_int_equal(names_count_threads(), 1);
	assert_int_equal(names.threads[0], names.threads[1]);
	assert_int_not_equal(names.threads[0], gettid());
	inko_runtime_free(runtime);
	names_wait_for_no_thread();
}

/* More at a time than there are places: each has its turn. */
static void test_many_tasks(void **state)
{
	struct client clients[2 * RESOLVER_QUESTIONS + 1];
	const size_t n_clients = sizeof(clients) / sizeof(clients[0]);
	struct inko_runtime *runtime = runtime_make();

	(void)state;
	for (size_t i = 0; i < n_clients; i++) {
		clients[i] = (struct client){.host = i % 2 ? "one.test" : "missing.test"};
		start_detached(runtime, "client", resolve_task, &clients[i]);
	}
	finish(runtime);
	for (size_t i = 0; i < n_clients; i++)
		assert_int_equal(clients[i].result, i % 2 ? 0 : -ENOENT);
	assert_int_equal(names_count_asked(), n_clients);
}

/* A task that is cancelled does not wait for its name, in its turn or before, nor does the end of
 * its runtime. */
static void test_cancel(void **state)
{
	struct client clients[RESOLVER_QUESTIONS + 2];
	const size_t n_clients = sizeof(clients) / sizeof(clients[0]);
	struct inko_runtime *runtime = runtime_make();
	uintptr_t n_fds = leaks_count_fds();

	(void)state;
	for (size_t i = 0; i < n_clients; i++) {
		clients[i] = (struct client){.host = "held.test"};
		start_detached(runtime, "client", resolve_task, &clients[i]);
	}
	assert_int_equal(inko_runtime_dispatch(runtime), (int)n_clients);
	names_wait_for_asked(1);
	assert_true(leaks_count_fds() > n_fds);
	inko_runtime_free(runtime);
	for (size_t i = 0; i < n_clients; i++)
		assert_int_equal(clients[i].result, -ECANCELED);
	assert_true(leaks_count_fds() < n_fds);
	assert_int_equal(names_count_asked(), 1);
	assert_int_equal(names_count_threads(), 1);
}

static void resolve_on_end(int result, void *context)
{
	struct inko_ip *ips;
	size_t n;

	(void)result;
	*(int *)context = inko_resolve("one.test", 0, &ips, &n);
}

static int return_at_once(struct inko_mailbox *mailbox, void *argument)
{
	(void)mailbox;
	(void)argument;
	return 0;
}

/* In dispatch but outside a task nobody can wait. */
static void test_dispatch(void **state)
{
	struct inko_runtime *runtime = runtime_make();
	struct inko_task *task = start(runtime, "task", return_at_once, NULL);
	int result = 0;

	(void)state;
	inko_task_on_end(task, resolve_on_end, &result);
	finish(runtime);
	inko_task_unref(task);
	assert_int_equal(result, -EDEADLK);
	assert_int_equal(names_count_asked(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		names_test(test_name),
		names_test(test_errors),
		names_test(test_text),
		names_test(test_not_a_name),
		names_test(test_length),
		names_test(test_deadline),
		names_test(test_task),
		names_test(test_many_tasks),
		names_test(test_cancel),
		names_test(test_dispatch),
		names_test(test_localhost),
		names_test(test_invalid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
