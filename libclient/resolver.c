/*
 * Names that are looked up in a thread.
 *
 * getaddrinfo(3) blocks, for as long as it likes, and cannot be stopped. So who asks waits for a
 * descriptor, and may leave; the name is then the thread's to finish and to forget.
 */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "libclient/lookup.h"
#include "libclient/resolver.h"
#include "libclient/wait.h"
#include "proto/descriptor.h"

#define NSEC_PER_USEC 1000u
#define USEC_PER_SEC 1000000u

enum question_state {
	QUESTION_WAITS,	   /* in the queue */
	QUESTION_STARTED,  /* the thread is at it */
	QUESTION_LEFT,	   /* the thread is at it, and nobody waits: the thread frees it */
	QUESTION_ANSWERED, /* out of the thread's hands */
};

struct resolver_question {
	struct resolver_question *next;
	enum question_state state;
	int answered_fd; /* readable once it is answered */
	int result;
	struct inko_ip *ips;
	size_t n_ips;
	char host[];
};

struct resolver {
	pthread_mutex_t lock; /* for all that follows but what is never changed */
	pthread_cond_t changed;
	struct resolver_question *first, *last;
	bool has_thread;
	bool is_left;		   /* by its owner: no question will come */
	unsigned int n_references; /* the owner's and the thread's */
	uint64_t idle_usec;
	int room_fd; /* the owner's: a semaphore of places for questions */
};

/* Questions */

static struct resolver_question *question_free(struct resolver_question *question)
{
	if (!question)
		return NULL;
	descriptor_close(&question->answered_fd);
	free(question->ips);
	free(question);
	return NULL;
}

static int question_new(const char *host, struct resolver_question **ret_question)
{
	size_t size = strlen(host) + 1;
	struct resolver_question *question = calloc(1, sizeof(*question) + size);

	if (!question)
		return -ENOMEM;
	memcpy(question->host, host, size);
	question->answered_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (question->answered_fd < 0) {
		int r = -errno;

		question_free(question);
		return r;
	}
	*ret_question = question;
	return 0;
}

static void queue_append(struct resolver *resolver, struct resolver_question *question)
{
	*(resolver->last ? &resolver->last->next : &resolver->first) = question;
	resolver->last = question;
}

static struct resolver_question *queue_take_first(struct resolver *resolver)
{
	struct resolver_question *question = resolver->first;

	resolver->first = question->next;
	if (!resolver->first)
		resolver->last = NULL;
	return question;
}

static void queue_remove(struct resolver *resolver, struct resolver_question *question)
{
	struct resolver_question *before = NULL;

	for (struct resolver_question *one = resolver->first; one != question; one = one->next)
		before = one;
	*(before ? &before->next : &resolver->first) = question->next;
	if (resolver->last == question)
		resolver->last = before;
}

/* Lifecycle */

static void resolver_unref(struct resolver *resolver)
{
	bool is_last;

	(void)pthread_mutex_lock(&resolver->lock);
	is_last = --resolver->n_references == 0;
	(void)pthread_mutex_unlock(&resolver->lock);
	if (!is_last)
		return;
	(void)pthread_cond_destroy(&resolver->changed);
	(void)pthread_mutex_destroy(&resolver->lock);
	free(resolver);
}

/* On Linux neither takes resources: none of these calls fails (pthread_mutex_init(3)). */
static void resolver_init_lock(struct resolver *resolver)
{
	pthread_condattr_t attributes;

	(void)pthread_mutex_init(&resolver->lock, NULL);
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&resolver->changed, &attributes);
	(void)pthread_condattr_destroy(&attributes);
}

int resolver_new(uint64_t idle_usec, struct resolver **ret_resolver)
{
	_cleanup_free_ struct resolver *resolver = calloc(1, sizeof(*resolver));

	if (!resolver)
		return -ENOMEM;
	resolver->n_references = 1;
	resolver->idle_usec = idle_usec;
	resolver->room_fd = eventfd(RESOLVER_QUESTIONS, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
	if (resolver->room_fd < 0)
		return -errno;
	resolver_init_lock(resolver);
	*ret_resolver = resolver;
	resolver = NULL;
	return 0;
}

struct resolver *resolver_free(struct resolver *resolver)
{
	if (!resolver)
		return NULL;
	descriptor_close(&resolver->room_fd);
	(void)pthread_mutex_lock(&resolver->lock);
	resolver->is_left = true;
	(void)pthread_cond_signal(&resolver->changed);
	(void)pthread_mutex_unlock(&resolver->lock);
	resolver_unref(resolver);
	return NULL;
}

/* The thread */

static struct timespec idle_until(const struct resolver *resolver)
{
	uint64_t until_usec = wait_now_usec() + resolver->idle_usec;

	return (struct timespec){.tv_sec = (time_t)(until_usec / USEC_PER_SEC),
		.tv_nsec = (long)(until_usec % USEC_PER_SEC * NSEC_PER_USEC)};
}

/* The next question; NULL when none came for so long, or none will. The lock is held. */
static struct resolver_question *resolver_next(struct resolver *resolver)
{
	struct timespec until = idle_until(resolver);
	int r = 0;

	while (!resolver->first && !resolver->is_left && r == 0)
		r = pthread_cond_timedwait(&resolver->changed, &resolver->lock, &until);
	if (!resolver->first)
		return NULL;
	resolver->first->state = QUESTION_STARTED;
	return queue_take_first(resolver);
}

/* Done with a question. The lock is held. */
static void resolver_answer(struct resolver_question *question)
{
	if (question->state == QUESTION_LEFT) {
		question_free(question);
		return;
	}
	question->state = QUESTION_ANSWERED;
	(void)eventfd_write(question->answered_fd, 1);
}

static void *resolver_run(void *context)
{
	struct resolver *resolver = context;
	struct resolver_question *question;

	(void)pthread_setname_np(pthread_self(), RESOLVER_THREAD_NAME);
	(void)pthread_mutex_lock(&resolver->lock);
	while ((question = resolver_next(resolver))) {
		(void)pthread_mutex_unlock(&resolver->lock);
		question->result = lookup_host(question->host, &question->ips, &question->n_ips);
		(void)pthread_mutex_lock(&resolver->lock);
		resolver_answer(question);
	}
	resolver->has_thread = false;
	(void)pthread_mutex_unlock(&resolver->lock);
	resolver_unref(resolver);
	return NULL;
}

/* A signal is for the program's own threads. */
static int create_thread_without_signals(
	struct resolver *resolver, const pthread_attr_t *attributes)
{
	pthread_t thread;
	sigset_t all, before;
	int r;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&thread, attributes, resolver_run, resolver);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}

/* Starts the thread unless it runs. Nobody ever joins it: a name may take longer than its owner
 * lives. The lock is held. */
static int resolver_start(struct resolver *resolver)
{
	pthread_attr_t attributes;
	int r;

	if (resolver->has_thread)
		return 0;
	r = -pthread_attr_init(&attributes);
	if (r < 0)
		return r;
	(void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	r = create_thread_without_signals(resolver, &attributes);
	(void)pthread_attr_destroy(&attributes);
	if (r < 0)
		return r;
	resolver->has_thread = true;
	resolver->n_references++;
	return 0;
}

/* Asking */

static int room_enter(const struct resolver *resolver, uint64_t deadline_usec)
{
	struct pollfd room = {.fd = resolver->room_fd, .events = POLLIN};
	eventfd_t place;
	int r = 0;

	while (r == 0) {
		if (eventfd_read(resolver->room_fd, &place) == 0)
			return 0;
		r = errno == EAGAIN ? wait_for(&room, 1, deadline_usec) : -errno;
	}
	return r;
}

static void room_leave(const struct resolver *resolver)
{
	(void)eventfd_write(resolver->room_fd, 1);
}

static int resolver_append(struct resolver *resolver, struct resolver_question *question)
{
	int r;

	(void)pthread_mutex_lock(&resolver->lock);
	r = resolver_start(resolver);
	if (r == 0) {
		queue_append(resolver, question);
		(void)pthread_cond_signal(&resolver->changed);
	}
	(void)pthread_mutex_unlock(&resolver->lock);
	return r;
}

int resolver_ask(struct resolver *resolver, const char *host, uint64_t deadline_usec,
	struct resolver_question **ret_question)
{
	struct resolver_question *question = NULL;
	int r;

	r = room_enter(resolver, deadline_usec);
	if (r < 0)
		return r;
	r = question_new(host, &question);
	if (r == 0)
		r = resolver_append(resolver, question);
	if (r < 0) {
		question_free(question);
		room_leave(resolver);
		return r;
	}
	*ret_question = question;
	return 0;
}

/* Gives the question up, or takes it with its answer: then it is the caller's to free. */
static struct resolver_question *resolver_withdraw(
	struct resolver *resolver, struct resolver_question *question)
{
	(void)pthread_mutex_lock(&resolver->lock);
	if (question->state == QUESTION_WAITS)
		queue_remove(resolver, question);
	if (question->state == QUESTION_STARTED) {
		question->state = QUESTION_LEFT;
		descriptor_close(&question->answered_fd);
		question = NULL;
	}
	(void)pthread_mutex_unlock(&resolver->lock);
	return question;
}

int resolver_await(struct resolver *resolver, struct resolver_question *take_question,
	uint64_t deadline_usec, struct inko_ip **ret_ips, size_t *ret_n)
{
	struct pollfd answered = {.fd = take_question->answered_fd, .events = POLLIN};
	struct resolver_question *question;
	int r;

	r = wait_for(&answered, 1, deadline_usec);
	question = resolver_withdraw(resolver, take_question);
	room_leave(resolver);
	if (r == 0)
		r = question->result;
	if (r == 0) {
		*ret_ips = question->ips;
		*ret_n = question->n_ips;
		question->ips = NULL;
	}
	question_free(question);
	return r;
}
