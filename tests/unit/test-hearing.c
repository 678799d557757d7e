/*
 * What instances say while no supervisor runs.
 */

#include "tests/unit/leaks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/keeper/hearing.h"
#include "proto/passing.h"

/* Instances web/0 and web/1, and the ends that they speak through. */
struct scene {
	struct store store;
	struct hearing hearing;
	int speakers[2];
};

static void open_scene(struct scene *scene)
{
	*scene = (struct scene){.hearing.epoll_fd = -1};
	store_init(&scene->store, 100, 100);
	for (int i = 0; i < 2; i++) {
		struct keep_message message = {.verb = KEEP_PUT, .bytes = strdup("{}")};
		int pair[2], yes = 1;

		assert_non_null(message.bytes);
		message.n_bytes = 2;
		assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
		assert_int_equal(
			setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)), 0);
		(void)snprintf(message.key, sizeof(message.key), KEEP_INSTANCE "web/%d", i);
		message.passed.fds[message.passed.n_fds++] = pair[0];
		assert_int_equal(store_put(&scene->store, &message), 0);
		scene->speakers[i] = pair[1];
	}
	hearing_begin(&scene->hearing, &scene->store);
	assert_true(scene->hearing.epoll_fd >= 0);
}

static void close_scene(struct scene *scene)
{
	hearing_end(&scene->hearing);
	assert_int_equal(scene->hearing.epoll_fd, -1);
	store_done(&scene->store);
	for (int i = 0; i < 2; i++)
		(void)close(scene->speakers[i]);
}

/* Whether there was room for it. */
static bool say(struct scene *scene, int speaker, const char *text)
{
	bool is_sent = send(scene->speakers[speaker], text, strlen(text), MSG_DONTWAIT) >= 0;

	hearing_dispatch(&scene->hearing, &scene->store);
	return is_sent;
}

static const struct store_entry *find(const struct scene *scene, int speaker, unsigned int number)
{
	char key[LIMIT_KEY_CHARS + 1];

	(void)snprintf(key, sizeof(key), KEEP_HEARD "web/%d/%u", speaker, number);
	return store_find(&scene->store, key);
}

static void assert_heard(
	const struct scene *scene, int speaker, unsigned int number, const char *text)
{
	const struct store_entry *entry = find(scene, speaker, number);

	if (!text) {
		assert_null(entry);
		return;
	}
	assert_non_null(entry);
	assert_string_equal(entry->bytes, text);
	assert_int_equal(entry->n_bytes, strlen(text));
	assert_int_equal(entry->number, getpid());
	assert_int_equal(entry->n_fds, 0);
}

static void keeps_the_order(void **state)
{
	struct scene scene;

	(void)state;
	open_scene(&scene);
	assert_true(say(&scene, 0, "READY=1\nSTATUS=a\n"));
	assert_true(say(&scene, 0, "RELOADING=1\nMONOTONIC_USEC=7"));
	assert_true(say(&scene, 1, "STOPPING=1"));
	assert_true(say(&scene, 0, "READY=1"));
	assert_true(say(&scene, 0, ""));
	assert_heard(&scene, 0, 0, "READY=1\nSTATUS=a\n");
	assert_heard(&scene, 0, 1, "RELOADING=1\nMONOTONIC_USEC=7");
	assert_heard(&scene, 0, 2, "READY=1");
	assert_heard(&scene, 0, 3, NULL);
	assert_heard(&scene, 1, 0, "STOPPING=1");
	assert_heard(&scene, 1, 1, NULL);
	close_scene(&scene);
}

static void keeps_the_last_of_what_is_repeated(void **state)
{
	struct scene scene;
	char text[64];

	(void)state;
	open_scene(&scene);
	assert_true(say(&scene, 0, "READY=1\n"));
	for (int i = 0; i < 2000; i++) {
		(void)snprintf(text, sizeof(text), "STATUS=%d\n", i);
		assert_true(say(&scene, 0, i % 2 ? "WATCHDOG=1" : text));
	}
	assert_true(say(&scene, 0, "EXTEND_TIMEOUT_USEC=5\nWATCHDOG=1"));
	assert_heard(&scene, 0, 0, "EXTEND_TIMEOUT_USEC=5\nWATCHDOG=1\nSTATUS=1998\nREADY=1");
	assert_heard(&scene, 0, 1, NULL);
	close_scene(&scene);
}

/* Whom to believe is not the keeper's to say. */
static void keeps_apart_who_says_it(void **state)
{
	struct scene scene;
	pid_t child;

	(void)state;
	open_scene(&scene);
	assert_true(say(&scene, 0, "READY=1"));
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(send(scene.speakers[0], "STATUS=b", 8, MSG_DONTWAIT) == 8 ? 0 : 1);
	assert_int_equal(waitpid(child, NULL, 0), child);
	hearing_dispatch(&scene.hearing, &scene.store);
	assert_true(say(&scene, 0, "STATUS=c"));
	assert_heard(&scene, 0, 0, "READY=1");
	assert_int_equal(find(&scene, 0, 1)->number, child);
	assert_string_equal(find(&scene, 0, 1)->bytes, "STATUS=b");
	assert_heard(&scene, 0, 2, "STATUS=c");
	close_scene(&scene);
}

/* They look alike. */
static void keeps_all_of_what_is_not(void **state)
{
	static const char *const texts[] = {"WATCHDOG=1", "WATCHDOG=trigger", "WATCHDOG=trigger",
		"STATUS", "READY=10", "WATCHDOG=1\nX_INKO_CLOSED=a", "X_INKO_CLOSED=b"};
	struct scene scene;

	(void)state;
	open_scene(&scene);
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		assert_true(say(&scene, 0, texts[i]));
		assert_heard(&scene, 0, (unsigned int)i, texts[i]);
	}
	close_scene(&scene);
}

static void has_a_bound(void **state)
{
	struct scene scene;
	size_t n = 0;

	(void)state;
	open_scene(&scene);
	while (say(&scene, 0, "FDSTOREREMOVE=1\nFDNAME=a"))
		assert_true(++n < 10000);
	assert_true(n > HEARING_MESSAGES_MAX);
	assert_heard(&scene, 0, HEARING_MESSAGES_MAX - 1, "FDSTOREREMOVE=1\nFDNAME=a");
	assert_heard(&scene, 0, HEARING_MESSAGES_MAX, NULL);
	/* Others are not in its way. */
	assert_true(say(&scene, 1, "READY=1"));
	assert_heard(&scene, 1, 0, "READY=1");
	close_scene(&scene);
}

/* What is too long for one is two, and none of it is lost. */
static void merges_no_more_than_is_read(void **state)
{
	struct scene scene;
	char text[LIMIT_NOTIFICATION_BYTES + 1];

	(void)state;
	open_scene(&scene);
	(void)memset(text, 'x', sizeof(text) - 1);
	(void)memcpy(text, "STATUS=", 7);
	text[sizeof(text) - 1] = 0;
	assert_true(say(&scene, 0, "READY=1"));
	assert_true(say(&scene, 0, text));
	assert_heard(&scene, 0, 0, "READY=1");
	assert_heard(&scene, 0, 1, text);
	close_scene(&scene);
}

/* They, and what comes behind them, are the supervisor's. */
static void leaves_descriptors_where_they_are(void **state)
{
	char text[] = "FDSTORE=1";
	struct iovec iov = {text, strlen(text)};
	struct passed passed;
	struct scene scene;

	(void)state;
	open_scene(&scene);
	assert_true(say(&scene, 0, "READY=1"));
	assert_int_equal(passing_send(scene.speakers[0], &iov, 1, &scene.speakers[1], 1), 0);
	assert_true(say(&scene, 0, "STATUS=b"));
	assert_true(say(&scene, 0, "STATUS=c"));
	assert_heard(&scene, 0, 0, "READY=1");
	assert_heard(&scene, 0, 1, NULL);
	assert_int_equal(passing_receive(store_find(&scene.store, KEEP_INSTANCE "web/0")->fds[0],
				 &iov, 1, 0, &passed),
		9);
	assert_int_equal(passed.n_fds, 1);
	passing_close(&passed);
	close_scene(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(keeps_the_order),
		leaks_test(keeps_the_last_of_what_is_repeated),
		leaks_test(keeps_apart_who_says_it),
		leaks_test(keeps_all_of_what_is_not),
		leaks_test(has_a_bound),
		leaks_test(merges_no_more_than_is_read),
		leaks_test(leaves_descriptors_where_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
