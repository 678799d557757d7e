/*
 * The status line.
 */

#include "tests/unit/leaks.h"

#include "daemon/supervisor/actor.h"
#include "daemon/supervisor/announce.h"
#include "daemon/supervisor/listener.h"

static void counts(void **state)
{
	struct supervisor supervisor = {0};
	struct actor own = {.is_builtin = true}, web = {0}, other = {0};
	struct instance acceptor = {.state = LIFECYCLE_READY}, first = {.state = LIFECYCLE_READY},
			second = {.state = LIFECYCLE_WAITING};
	struct listener listener = {0};
	char text[ANNOUNCE_BYTES];

	(void)state;
	TAILQ_INIT(&supervisor.actors);
	TAILQ_INIT(&supervisor.listeners);
	announce_format(&supervisor, text);
	assert_string_equal(text, "0 actors, 0 of 0 instances ready, 0 listeners");

	TAILQ_INIT(&own.instances);
	TAILQ_INIT(&web.instances);
	TAILQ_INIT(&other.instances);
	TAILQ_INSERT_TAIL(&supervisor.actors, &own, entries);
	TAILQ_INSERT_TAIL(&own.instances, &acceptor, entries);
	announce_format(&supervisor, text);
	assert_string_equal(text, "0 actors, 0 of 0 instances ready, 0 listeners");

	TAILQ_INSERT_TAIL(&supervisor.actors, &web, entries);
	TAILQ_INSERT_TAIL(&web.instances, &first, entries);
	TAILQ_INSERT_TAIL(&supervisor.listeners, &listener, entries);
	announce_format(&supervisor, text);
	assert_string_equal(text, "1 actor, 1 of 1 instance ready, 1 listener");

	TAILQ_INSERT_TAIL(&supervisor.actors, &other, entries);
	TAILQ_INSERT_TAIL(&web.instances, &second, entries);
	supervisor.stopping = true;
	announce_format(&supervisor, text);
	assert_string_equal(text, "stopping: 2 actors, 1 of 2 instances ready, 1 listener");
}

/* Where nobody asked nothing is done. */
static void is_silent(void **state)
{
	struct supervisor supervisor = {0};

	(void)state;
	announce_touch(&supervisor);
	announce_stopping(&supervisor);
	assert_null(supervisor.announcer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(counts),
		leaks_test(is_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
