/*
 * The course of attempts to reach one of several addresses.
 */

#include <errno.h>
#include <stdbool.h>

#include "libclient/happy-eyeballs.h"

/* The most telling first. That this process had nothing left to try with says nothing of the
 * others, so it must not hide; then whoever came nearest to an answer from the other side. */
static const int telling_errors[] = {
	ENOMEM,
	ENOBUFS,
	EMFILE,
	ENFILE,
	ECONNREFUSED,
	ECONNRESET,
	EACCES,
	EPERM,
	ETIMEDOUT,
	EHOSTUNREACH,
	EHOSTDOWN,
	ENETUNREACH,
	ENETDOWN,
};

#define N_TELLING_ERRORS (sizeof(telling_errors) / sizeof(telling_errors[0]))

static size_t error_rank(int error)
{
	size_t rank = 0;

	while (rank < N_TELLING_ERRORS && telling_errors[rank] != -error)
		rank++;
	return rank;
}

/* Order */

static bool course_has(const struct happy_eyeballs *course, const struct inko_ip *ip)
{
	for (size_t i = 0; i < course->n_ips; i++)
		if (inko_ip_equal(&course->ips[i], ip))
			return true;
	return false;
}

/* The next at or behind i that is of the version, or not of it, and not in the course yet; n_ips
 * if there is none. */
static size_t find_next(const struct happy_eyeballs *course, const struct inko_ip *ips,
	size_t n_ips, size_t i, uint8_t version, bool is_version)
{
	while (i < n_ips &&
		((ips[i].version == version) != is_version || course_has(course, &ips[i])))
		i++;
	return i;
}

void happy_eyeballs_init(
	struct happy_eyeballs *course, const struct inko_ip *ips, size_t n_ips, uint64_t delay_usec)
{
	size_t next[2] = {0}; /* of the first address's family, of the other one */
	size_t turn = 0, n_exhausted = 0;

	*course = (struct happy_eyeballs){.delay_usec = delay_usec};
	while (n_exhausted < 2 && course->n_ips < HAPPY_EYEBALLS_ATTEMPTS) {
		size_t i = find_next(course, ips, n_ips, next[turn], ips[0].version, turn == 0);

		n_exhausted = i < n_ips ? 0 : n_exhausted + 1;
		if (i < n_ips)
			course->ips[course->n_ips++] = ips[i];
		next[turn] = i;
		turn = !turn;
	}
}

/* Course */

enum happy_eyeballs_step happy_eyeballs_step(struct happy_eyeballs *course, uint64_t now_usec)
{
	if (course->n_begun == course->n_ips)
		return course->n_pending > 0 ? HAPPY_EYEBALLS_WAIT : HAPPY_EYEBALLS_GIVE_UP;
	if (now_usec < course->next_usec)
		return HAPPY_EYEBALLS_WAIT;
	course->n_begun++;
	course->n_pending++;
	course->next_usec = course->n_begun < course->n_ips ? now_usec + course->delay_usec : 0;
	return HAPPY_EYEBALLS_BEGIN;
}

void happy_eyeballs_fail(struct happy_eyeballs *course, int error)
{
	course->n_pending--;
	course->next_usec = 0;
	if (!course->error || error_rank(error) < error_rank(course->error))
		course->error = error;
}
