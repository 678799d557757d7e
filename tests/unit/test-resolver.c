/*
 * Names in a thread: who waits for whom, who frees what, and when the thread is there.
 */

#include "tests/unit/names.h"

#include <sys/resource.h>

#define LONG_USEC UINT64_C(3600000000)
#define PAST_USEC 1

static struct resolver *resolver_make(uint64_t idle_usec)
{
	struct resolver *resolver;

	assert_int_equal(resolver_new(idle_usec, &resolver), 0);
	return resolver;
}

static struct resolver_question *ask(struct resolver *resolver, const char *host)
{
	struct resolver_question *question;

	assert_int_equal(resolver_ask(resolver, host, 0, &question), 0);
	return question;
}

/* The question has the one address text. */
static void assert_answer(
	struct resolver *resolver, struct resolver_question *question, const char *text)
{
	_cleanup_free_ struct inko_ip *ips = NULL;
	size_t n;

	assert_int_equal(resolver_await(resolver, question, 0, &ips, &n), 0);
	assert_int_equal(n, 1);
	assert_ip(&ips[0], text);
}

static int give_up(struct resolver *resolver, struct resolver_question *question)
{
	struct inko_ip *ips;
	size_t n;

	return resolver_await(resolver, question, PAST_USEC, &ips, &n);
}

static void test_answers(void **state)
{
	struct resolver *resolver = resolver_make(LONG_USEC);
	struct resolver_question *one, *two;
	struct inko_ip *ips;
	size_t n;

	(void)state;
	one = ask(resolver, "one.test");
	two = ask(resolver, "two.test");
	assert_answer(resolver, two, "192.0.2.2");
	assert_answer(resolver, one, "192.0.2.1");
	assert_int_equal(
		resolver_await(resolver, ask(resolver, "missing.test"), 0, &ips, &n), -ENOENT);
	resolver_free(resolver);
}

/* One thread for all names, which is not the caller's, and no signal comes there. */
static void test_thread(void **state)
{
	struct resolver *resolver = resolver_make(LONG_USEC);
	sigset_t own, before, after;

	(void)state;
	assert_int_equal(sigemptyset(&own), 0);
	assert_int_equal(sigaddset(&own, SIGUSR1), 0);
	assert_int_equal(pthread_sigmask(SIG_SETMASK, &own, &before), 0);
	assert_int_equal(names_count_threads(), 0);
	assert_answer(resolver, ask(resolver, "one.test"), "192.0.2.1");
	assert_int_equal(names_count_threads(), 1);
	assert_answer(resolver, ask(resolver, "two.test"), "192.0.2.2");
	assert_int_equal(names_count_threads(), 1);
	assert_int_not_equal(names.threads[0], gettid());
	assert_int_equal(names.threads[0], names.threads[1]);
	assert_true(sigismember(&names.signals, SIGTERM));
	assert_true(sigismember(&names.signals, SIGSEGV));
	assert_true(sigismember(&names.signals, SIGRTMAX));
	assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, &after), 0);
	assert_int_equal(sigismember(&after, SIGUSR1), 1);
	assert_int_equal(sigismember(&after, SIGTERM), 0);
	resolver_free(resolver);
}

/* The thread ends by itself, and the next name starts another. */
static void test_idle(void **state)
{
	struct resolver *resolver = resolver_make(0);

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_answer(resolver, ask(resolver, "one.test"), "192.0.2.1");
		names_wait_for_no_thread();
	}
	assert_int_not_equal(names.threads[0], names.threads[1]);
	resolver_free(resolver);
}

/* A resolver without a name has no thread; one that is idle goes with its owner. */
static void test_owner_leaves(void **state)
{
	struct resolver *resolver;

	(void)state;
	assert_null(resolver_free(resolver_make(LONG_USEC)));
	assert_null(resolver_free(NULL));
	resolver = resolver_make(LONG_USEC);
	assert_answer(resolver, ask(resolver, "one.test"), "192.0.2.1");
	resolver_free(resolver);
	names_wait_for_no_thread();
}

/* Who gives up has its descriptors back at once, whatever the thread does. */
static void test_deadline(void **state)
{
	struct resolver *resolver = resolver_make(LONG_USEC);
	uintptr_t n_fds = leaks_count_fds();
	struct resolver_question *held;

	(void)state;
	held = ask(resolver, "held.test");
	assert_true(leaks_count_fds() > n_fds);
	names_wait_for_asked(1);
	assert_int_equal(give_up(resolver, held), -ETIMEDOUT);
	assert_int_equal(leaks_count_fds(), n_fds);
	names_let_go();
	assert_answer(resolver, ask(resolver, "one.test"), "192.0.2.1");
	resolver_free(resolver);
}

/* A name that was given up before its turn is never looked up, wherever it stood. */
static void test_give_up_in_queue(void **state)
{
	static const char *const hosts[] = {"first", "second", "third"};
	struct resolver_question *waiting[3];
	struct resolver *resolver;

	(void)state;
	for (size_t given_up = 0; given_up < 3; given_up++) {
		struct resolver_question *held, *last;

		names_setup(state);
		resolver = resolver_make(LONG_USEC);
		held = ask(resolver, "held.test");
		names_wait_for_asked(1);
		for (size_t i = 0; i < 3; i++)
			waiting[i] = ask(resolver, hosts[i]);
		assert_int_equal(give_up(resolver, waiting[given_up]), -ETIMEDOUT);
		last = ask(resolver, "one.test");
		names_let_go();
		assert_answer(resolver, held, "192.0.2.3");
		assert_answer(resolver, last, "192.0.2.1");
		assert_int_equal(names_count_asked(), 4);
		for (size_t i = 0; i < 4; i++)
			assert_string_not_equal(names.hosts[i], hosts[given_up]);
		for (size_t i = 0; i < 3; i++)
			if (i != given_up)
				assert_int_equal(give_up(resolver, waiting[i]), -ENOENT);
		resolver_free(resolver);
	}
}

/* The last of all given up: the queue is empty and takes others. */
static void test_give_up_all(void **state)
{
	struct resolver *resolver = resolver_make(LONG_USEC);
	struct resolver_question *held, *a, *b;

	(void)state;
	held = ask(resolver, "held.test");
	names_wait_for_asked(1);
	a = ask(resolver, "one.test");
	b = ask(resolver, "two.test");
	assert_int_equal(give_up(resolver, b), -ETIMEDOUT);
	assert_int_equal(give_up(resolver, a), -ETIMEDOUT);
	a = ask(resolver, "one.test");
	names_let_go();
	assert_answer(resolver, a, "192.0.2.1");
	assert_answer(resolver, held, "192.0.2.3");
	assert_int_equal(names_count_asked(), 2);
	resolver_free(resolver);
}

/* The owner does not wait for a name that is being looked up, with an answer or without. */
static void owner_leaves_name(void **state, const char *host)
{
	struct resolver *resolver;
	struct resolver_question *held;
	uintptr_t n_fds = leaks_count_fds();

	names_setup(state);
	resolver = resolver_make(LONG_USEC);
	held = ask(resolver, host);
	names_wait_for_asked(1);
	assert_int_equal(give_up(resolver, held), -ETIMEDOUT);
	resolver_free(resolver);
	assert_int_equal(leaks_count_fds(), n_fds);
	assert_int_equal(names_count_threads(), 1);
	names_let_go();
	names_wait_for_no_thread();
}

static void test_owner_leaves_name(void **state)
{
	owner_leaves_name(state, "held.test");
	owner_leaves_name(state, "held-missing.test");
}

/* Beyond the bound a question waits for its turn, without a descriptor. */
static void test_bound(void **state)
{
	struct resolver *resolver = resolver_make(LONG_USEC);
	struct resolver_question *questions[RESOLVER_QUESTIONS], *other;
	uintptr_t n_fds;

	(void)state;
	for (size_t i = 0; i < RESOLVER_QUESTIONS; i++)
		questions[i] = ask(resolver, "held.test");
	names_wait_for_asked(1);
	n_fds = leaks_count_fds();
	assert_int_equal(resolver_ask(resolver, "one.test", PAST_USEC, &other), -ETIMEDOUT);
	assert_int_equal(leaks_count_fds(), n_fds);
	/* Each that ends makes room for one, wherever it stood. */
	for (size_t i = 0; i < RESOLVER_QUESTIONS; i++) {
		assert_int_equal(give_up(resolver, questions[i]), -ETIMEDOUT);
		questions[i] = ask(resolver, "one.test");
		assert_int_equal(resolver_ask(resolver, "one.test", PAST_USEC, &other), -ETIMEDOUT);
	}
	for (size_t i = 1; i < RESOLVER_QUESTIONS; i++)
		assert_int_equal(give_up(resolver, questions[i]), -ETIMEDOUT);
	assert_int_equal(names_count_asked(), 1);
	names_let_go();
	assert_answer(resolver, questions[0], "192.0.2.1");
	resolver_free(resolver);
}

/* An error before the thread has it gives its place back. */
static void test_no_descriptors(void **state)
{
	struct resolver *resolver = resolver_make(LONG_USEC);
	struct resolver_question *other;
	struct rlimit limit, none;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	for (size_t i = 0; i <= RESOLVER_QUESTIONS; i++)
		assert_int_equal(resolver_ask(resolver, "one.test", 0, &other), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_answer(resolver, ask(resolver, "one.test"), "192.0.2.1");
	resolver_free(resolver);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		names_test(test_answers),
		names_test(test_thread),
		names_test(test_idle),
		names_test(test_owner_leaves),
		names_test(test_deadline),
		names_test(test_give_up_in_queue),
		names_test(test_give_up_all),
		names_test(test_owner_leaves_name),
		names_test(test_bound),
		names_test(test_no_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
