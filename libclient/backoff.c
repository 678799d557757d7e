/*
 * Pauses that grow: short at first, for who makes room at once, and never so long that a person
 * would notice.
 */

#include <errno.h>
#include <stddef.h>

#include "libclient/backoff.h"
#include "libclient/socket.h"
#include "libclient/wait.h"

#define FIRST_PAUSE_USEC 500
#define LONGEST_PAUSE_USEC 32000

int backoff_wait(struct backoff *backoff, struct inko_socket *socket)
{
	uint64_t now_usec = wait_now_usec(), until_usec, deadline_usec = socket->deadline_usec;
	int r;

	if (deadline_usec && now_usec >= deadline_usec)
		return -ETIMEDOUT;
	backoff->pause_usec = backoff->pause_usec ? backoff->pause_usec * 2 : FIRST_PAUSE_USEC;
	if (backoff->pause_usec > LONGEST_PAUSE_USEC)
		backoff->pause_usec = LONGEST_PAUSE_USEC;
	until_usec = now_usec + backoff->pause_usec;
	if (deadline_usec && deadline_usec < until_usec)
		until_usec = deadline_usec;
	r = wait_beside_socket(socket, NULL, NULL, 0, until_usec);
	return r == -ETIMEDOUT ? 0 : r;
}
