/*
 * The keeper's side of the supervisor's door. Everything here happens before the keeper's loop, and
 * waits: there is nothing else to do yet.
 */

#include "daemon/keeper/takeover.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/keeper/log.h"
#include "proto/descriptor.h"
#include "proto/monotonic.h"
#include "proto/runtime.h"
#include "proto/shortage.h"

/* How long the lock may be held with nobody at the door: a supervisor may be just starting. */
#define WAIT_MSEC 3000
#define PAUSE_MSEC 20
/* How long a supervisor that hands over may say nothing: it may be stopped. */
#define PROGRESS_MSEC 10000
/* How long a process that has closed its link may take to have ended. */
#define ENDING_MSEC 1000

static int connect_to_door(const char *directory, int *ret_fd)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address;
	int r = fd < 0 ? -errno : runtime_address(directory, RUNTIME_KEEPER, &address);

	if (r < 0)
		return r;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	*ret_fd = descriptor_take(&fd);
	return 0;
}

/* 0 to try again, else as shortage_wait. */
static int wait_for_room(struct shortage *shortage, int error)
{
	if (shortage_is_news(shortage))
		log_line("cannot take over from inko-supervisor for now: %s; tries for %d s until "
			 "it can, and leaves it as it is then. To take over, %s",
			strerror(-error), SHORTAGE_PATIENCE_MSEC / 1000, shortage_remedy(error));
	return shortage_wait(shortage, error);
}

static const char *describe_error(int error)
{
	return error == -ECANCELED ? "told to end" : strerror(-error);
}

/* Before it could tell who the supervisor is. */
static void complain_early(int error)
{
	log_line("gives up taking over from inko-supervisor (%s), which goes on without a keeper; "
		 "start inkod again",
		describe_error(error));
}

/* The next message, waited for; as keep_receive but for -EAGAIN, or -ETIMEDOUT, or -ECANCELED. */
static int receive(
	int fd, int timeout_msec, struct shortage *shortage, struct keep_message *ret_message)
{
	for (;;) {
		struct pollfd waits = {.fd = fd, .events = POLLIN};
		int r = keep_receive(fd, ret_message);

		if (shortage_is(r)) {
			r = wait_for_room(shortage, r);
			if (r < 0)
				return r;
			continue;
		}
		shortage_end(shortage);
		if (r != -EAGAIN)
			return r;
		if (poll(&waits, 1, timeout_msec) == 0)
			return -ETIMEDOUT;
	}
}

/* 1 with the lock, 0 when there is a keeper, whose pid is known then, -EAGAIN when nobody answers
 * for the moment; a shortage or -ECANCELED ends the attempt. */
static int ask(struct directory *directory, int *ret_link_fd, uint32_t *ret_pid)
{
	_cleanup_close_ int fd = -1;
	struct shortage shortage = {0};
	struct keep_message message;
	int r = connect_to_door(directory->path, &fd);

	if (r < 0)
		return -EAGAIN;
	r = receive(fd, WAIT_MSEC, &shortage, &message);
	if (r != 1)
		return shortage_is(r) || r == -ECANCELED ? r : -EAGAIN;
	r = -EAGAIN;
	if (message.verb == KEEP_REFUSED) {
		*ret_pid = message.number;
		r = 0;
	} else if (message.verb == KEEP_LOCK && message.passed.n_fds == 1) {
		directory->lock_fd = descriptor_take(&message.passed.fds[0]);
		*ret_link_fd = descriptor_take(&fd);
		r = 1;
	}
	keep_message_done(&message);
	return r;
}

int takeover_begin(struct directory *directory, int *ret_link_fd)
{
	uint64_t end_msec = monotonic_msec() + WAIT_MSEC;
	uint32_t pid = 0;
	int r;

	while ((r = ask(directory, ret_link_fd, &pid)) == -EAGAIN && monotonic_msec() < end_msec) {
		r = directory_lock(directory);
		if (r != -EWOULDBLOCK)
			return r;
		(void)poll(NULL, 0, PAUSE_MSEC);
	}
	if (r < 0 && r != -EAGAIN) {
		complain_early(r);
		return r;
	}
	if (r != 1) {
		directory_complain_taken(directory, pid);
		return -EBUSY;
	}
	return directory_write_pid(directory) < 0 ? -EIO : 1;
}

static void hold(struct store *store, struct keep_message *message)
{
	int r = store_put(store, message);

	if (r < 0)
		log_line("cannot hold %s (%s): it ends with the supervisor", message->key,
			strerror(-r));
}

int takeover_receive(int link_fd, struct store *store)
{
	struct shortage shortage = {0};

	for (;;) {
		struct keep_message message;
		enum keep_verb verb;
		int r = receive(link_fd, PROGRESS_MSEC, &shortage, &message);

		if (r == -EBADMSG) {
			log_line("left out something of inko-supervisor that this build does not "
				 "know");
			continue;
		}
		if (r <= 0)
			return r < 0 ? r : -ECONNRESET;
		verb = message.verb;
		if (verb == KEEP_PUT)
			hold(store, &message);
		keep_message_done(&message);
		if (verb == KEEP_ALL)
			return 0;
	}
}

void takeover_complain(pid_t pid, int pidfd, int error)
{
	struct pollfd supervisor = {.fd = pidfd, .events = POLLIN};
	bool is_ours = shortage_is(error) || error == -ECANCELED;

	/* Of a process that ends its descriptors go first. */
	if (pidfd >= 0 && poll(&supervisor, 1, is_ours ? 0 : ENDING_MSEC) == 0)
		log_line("gives up taking over from inko-supervisor (pid %d) before it has all "
			 "(%s): that one goes on with everything, without a keeper; start inkod "
			 "again",
			(int)pid, describe_error(error));
	else
		log_line("the supervisor ended while it was taken over: what it had not handed "
			 "over yet is lost. Start inkod again, which begins anew");
}

static int find_peer(int link_fd, pid_t *ret_pid, int *ret_pidfd)
{
	struct pollfd link = {.fd = link_fd};
	struct ucred who;
	socklen_t size = sizeof(who);
	_cleanup_close_ int pidfd = -1;

	if (getsockopt(link_fd, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0)
		return -errno;
	pidfd = pidfd_open(who.pid, 0);
	if (pidfd < 0)
		return -errno;
	/* As long as it holds its end it is alive, and the number is its own. */
	if (poll(&link, 1, 0) < 0)
		return -errno;
	if (link.revents & POLLHUP)
		return -ECONNRESET;
	*ret_pid = who.pid;
	*ret_pidfd = descriptor_take(&pidfd);
	return 0;
}

int takeover_find_peer(int link_fd, pid_t *ret_pid, int *ret_pidfd)
{
	struct shortage shortage = {0};
	int r, waited;

	do {
		r = find_peer(link_fd, ret_pid, ret_pidfd);
		if (r == 0 || r == -ESRCH || r == -ECONNRESET)
			return r;
		waited = shortage_is(r) ? wait_for_room(&shortage, r) : r;
	} while (waited == 0);
	complain_early(waited);
	return waited;
}

bool takeover_is_another(pid_t pid, const char *path)
{
	char link[sizeof("/proc//exe") + 3 * sizeof(pid)];
	struct stat runs, installed;

	(void)snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	return stat(link, &runs) == 0 && stat(path, &installed) == 0 &&
	       (runs.st_dev != installed.st_dev || runs.st_ino != installed.st_ino);
}
