#pragma once

/*
 * A getaddrinfo(3) that knows the names of a table, in place of the C library's: no case depends on
 * this host's names, or on a network. A name that begins with "held" has no answer until it is let
 * go. And what can be seen of the thread that asks.
 */

#include "tests/unit/leaks.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libclient/lookup.h"
#include "libclient/resolver.h"
#include "proto/descriptor.h"

#include <inko/ip.h>

#define NAMES_LOG 256
#define NAMES_HOST_CHARS 300
/* How often a case looks for something that comes soon, a millisecond apart: only one that fails
 * looks so often. */
#define NAMES_LOOKS 10000

struct name {
	const char *host;
	const char *texts[8];
	uint32_t scopes[8]; /* of texts */
	int eai;
	int system_error;
};

static const struct name names_table[] = {
	{.host = "one.test", .texts = {"192.0.2.1"}},
	{.host = "two.test", .texts = {"192.0.2.2"}},
	{.host = "held.test", .texts = {"192.0.2.3"}},
	{.host = "held-missing.test", .eai = EAI_NONAME},
	{.host = "both.test",
		.texts = {"2001:db8::1", "192.0.2.1", "192.0.2.1", "2001:db8::1", "192.0.2.2"}},
	{.host = "link.test", .texts = {"fe80::1", "fe80::1"}, .scopes = {2, 3}},
	{.host = "loopback.test", .texts = {"127.0.0.1", "127.0.0.2"}},
	{.host = "missing.test", .eai = EAI_NONAME},
	{.host = "empty.test", .eai = EAI_NODATA},
	{.host = "family.test", .eai = EAI_ADDRFAMILY},
	{.host = "later.test", .eai = EAI_AGAIN},
	{.host = "failure.test", .eai = EAI_FAIL},
	{.host = "memory.test", .eai = EAI_MEMORY},
	{.host = "long.test", .eai = EAI_OVERFLOW},
	{.host = "encoding.test", .eai = EAI_IDN_ENCODE},
	{.host = "system.test", .eai = EAI_SYSTEM, .system_error = EMFILE},
	{.host = "silent.test", .eai = EAI_SYSTEM},
	{.host = "unheard.test", .eai = -4711},
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool holds;
	bool asks_library;			 /* the C library's getaddrinfo answers */
	char hosts[NAMES_LOG][NAMES_HOST_CHARS]; /* that were asked for */
	pid_t threads[NAMES_LOG];		 /* that asked */
	size_t n_asked;
	sigset_t signals; /* blocked in who asked last */
} names = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .holds = true};

/* The library's side */

/* Is it the C library that answers? */
static inline bool names_log(const char *host)
{
	bool asks_library;

	pthread_mutex_lock(&names.lock);
	assert_true(names.n_asked < NAMES_LOG);
	(void)snprintf(names.hosts[names.n_asked], NAMES_HOST_CHARS, "%s", host);
	names.threads[names.n_asked++] = gettid();
	(void)pthread_sigmask(SIG_SETMASK, NULL, &names.signals);
	pthread_cond_broadcast(&names.changed);
	while (names.holds && strncmp(host, "held", 4) == 0)
		pthread_cond_wait(&names.changed, &names.lock);
	asks_library = names.asks_library;
	pthread_mutex_unlock(&names.lock);
	return asks_library;
}

static inline struct addrinfo *names_answer(const struct inko_ip *ip, struct addrinfo *next)
{
	struct addrinfo *one = calloc(1, sizeof(*one) + sizeof(struct sockaddr_in6));
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(one + 1);
	struct sockaddr_in *v4 = (struct sockaddr_in *)(one + 1);

	*one = (struct addrinfo){.ai_addr = (struct sockaddr *)(one + 1), .ai_next = next};
	one->ai_addr->sa_family = one->ai_family = ip->version == 6 ? AF_INET6 : AF_INET;
	if (ip->version == 6) {
		memcpy(&v6->sin6_addr, ip->bytes, 16);
		v6->sin6_scope_id = ip->scope;
		one->ai_addrlen = sizeof(*v6);
	} else {
		memcpy(&v4->sin_addr, ip->bytes, 4);
		one->ai_addrlen = sizeof(*v4);
	}
	return one;
}

static inline struct addrinfo *names_many(void)
{
	struct addrinfo *answers = NULL;

	for (uint8_t i = 0; i < 200; i++) {
		struct inko_ip ip = inko_ip_v4(192, 0, 2, (uint8_t)(199 - i));

		answers = names_answer(&ip, answers);
	}
	return answers;
}

/* One answer that is of neither family. */
static inline struct addrinfo *names_foreign(void)
{
	struct inko_ip ip = inko_ip_v4(192, 0, 2, 1);
	struct addrinfo *answers = names_answer(&ip, NULL);

	answers->ai_addr->sa_family = answers->ai_family = AF_UNIX;
	return answers;
}

static inline struct addrinfo *names_of(const struct name *name)
{
	struct addrinfo *answers = NULL;

	for (size_t i = sizeof(name->texts) / sizeof(name->texts[0]); i-- > 0;) {
		struct inko_ip ip;

		if (!name->texts[i] || inko_ip_parse(name->texts[i], &ip) < 0)
			continue;
		ip.scope = name->scopes[i];
		answers = names_answer(&ip, answers);
	}
	return answers;
}

static inline int names_ask_library(
	const char *host, const struct addrinfo *hints, struct addrinfo **answers)
{
	int (*library)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
		(int (*)(const char *, const char *, const struct addrinfo *,
			struct addrinfo **))dlsym(RTLD_NEXT, "getaddrinfo");

	return library(host, NULL, hints, answers);
}

int getaddrinfo(const char *restrict host, const char *restrict service,
	const struct addrinfo *restrict hints, struct addrinfo **restrict answers)
{
	(void)service;
	if (names_log(host))
		return names_ask_library(host, hints, answers);
	if (strcmp(host, "many.test") == 0 || strcmp(host, "foreign.test") == 0) {
		*answers = host[0] == 'm' ? names_many() : names_foreign();
		return 0;
	}
	for (size_t i = 0; i < sizeof(names_table) / sizeof(names_table[0]); i++) {
		if (strcmp(host, names_table[i].host) != 0)
			continue;
		if (!names_table[i].eai)
			*answers = names_of(&names_table[i]);
		errno = names_table[i].system_error;
		return names_table[i].eai;
	}
	return EAI_NONAME;
}

static inline void names_free(struct addrinfo *answers)
{
	while (answers) {
		struct addrinfo *next = answers->ai_next;

		free(answers);
		answers = next;
	}
}

void freeaddrinfo(struct addrinfo *answers)
{
	void (*release)(struct addrinfo *) =
		(void (*)(struct addrinfo *))dlsym(RTLD_NEXT, "freeaddrinfo");

	pthread_mutex_lock(&names.lock);
	if (!names.asks_library)
		release = names_free;
	pthread_mutex_unlock(&names.lock);
	release(answers);
}

/* The case's side */

/* Waits until n names were asked for in all. */
static inline void names_wait_for_asked(size_t n)
{
	pthread_mutex_lock(&names.lock);
	while (names.n_asked < n)
		pthread_cond_wait(&names.changed, &names.lock);
	pthread_mutex_unlock(&names.lock);
}

static inline size_t names_count_asked(void)
{
	size_t n;

	pthread_mutex_lock(&names.lock);
	n = names.n_asked;
	pthread_mutex_unlock(&names.lock);
	return n;
}

static inline void names_let_go(void)
{
	pthread_mutex_lock(&names.lock);
	names.holds = false;
	pthread_cond_broadcast(&names.changed);
	pthread_mutex_unlock(&names.lock);
}

/* From now on the C library knows the names. */
static inline void names_leave_to_library(void)
{
	pthread_mutex_lock(&names.lock);
	names.asks_library = true;
	pthread_mutex_unlock(&names.lock);
}

static inline bool names_is_resolver(const char *thread)
{
	_cleanup_close_ int fd = -1;
	char path[64], name[32] = "";

	(void)snprintf(path, sizeof(path), "/proc/self/task/%.20s/comm", thread);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, name, sizeof(name) - 1) < 0)
		return false;
	name[strcspn(name, "\n")] = '\0';
	return strcmp(name, RESOLVER_THREAD_NAME) == 0;
}

/* The resolvers' threads that have begun to run. */
static inline size_t names_count_threads(void)
{
	DIR *directory = opendir("/proc/self/task");
	struct dirent *entry;
	size_t n = 0;

	assert_non_null(directory);
	while ((entry = readdir(directory)))
		n += names_is_resolver(entry->d_name);
	closedir(directory);
	return n;
}

/* The threads of this process, also one that has not come to its name yet. */
static inline size_t names_count_all_threads(void)
{
	DIR *directory = opendir("/proc/self/task");
	struct dirent *entry;
	size_t n = 0;

	assert_non_null(directory);
	while ((entry = readdir(directory)))
		n += entry->d_name[0] != '.';
	closedir(directory);
	return n;
}

/* A thread that nobody joins ends a little after what it did last. */
static inline void names_wait_for_no_thread(void)
{
	size_t n = names_count_all_threads();

	for (size_t i = 0; i < NAMES_LOOKS && n > 1; i++) {
		(void)usleep(1000);
		n = names_count_all_threads();
	}
	assert_int_equal(n, 1);
}

static inline int names_setup(void **state)
{
	pthread_mutex_lock(&names.lock);
	names.holds = true;
	names.asks_library = false;
	names.n_asked = 0;
	pthread_mutex_unlock(&names.lock);
	return leaks_setup(state);
}

static inline int names_teardown(void **state)
{
	names_let_go();
	names_wait_for_no_thread();
	return leaks_teardown(state);
}

static inline void assert_ip(const struct inko_ip *ip, const char *text)
{
	char got[INKO_IP_TEXT_BYTES];

	inko_ip_format(ip, got);
	assert_string_equal(got, text);
}

#define names_test(function) cmocka_unit_test_setup_teardown(function, names_setup, names_teardown)
