/*
 * Mailboxes over nng's pipeline pattern: PUSH dials, PULL listens. Everything that nng knows of
 * errors, addresses and waiting ends here.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <nng/nng.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>

#include "proto/descriptor.h"
#include "proto/limits.h"

#include <inko/remote.h>

/* nng waits at random up to the time that it has reached; unless told it begins with a second. */
#define RECONNECT_MIN_MSEC 20
#define RECONNECT_MAX_MSEC 1000

#define ADDRESS_MODE 0600

struct remote {
	nng_socket socket;
	int fd; /* to poll; the socket's */
};

/* What nng says, as an errno. */
static int negative_errno(int error)
{
	static const struct {
		int nng, errno_;
	} table[] = {
		{NNG_EINTR, EINTR},
		{NNG_ENOMEM, ENOMEM},
		{NNG_EINVAL, EINVAL},
		{NNG_EBUSY, EBUSY},
		{NNG_ETIMEDOUT, ETIMEDOUT},
		{NNG_ECONNREFUSED, ECONNREFUSED},
		{NNG_ECLOSED, EBADF},
		{NNG_EAGAIN, EAGAIN},
		{NNG_ENOTSUP, EOPNOTSUPP},
		{NNG_EADDRINUSE, EADDRINUSE},
		{NNG_ENOENT, ENOENT},
		{NNG_EPROTO, EPROTO},
		{NNG_EUNREACHABLE, EHOSTUNREACH},
		{NNG_EADDRINVAL, EADDRNOTAVAIL},
		{NNG_EPERM, EPERM},
		{NNG_EMSGSIZE, EMSGSIZE},
		{NNG_ECONNABORTED, ECONNABORTED},
		{NNG_ECONNRESET, ECONNRESET},
		{NNG_ECANCELED, ECANCELED},
		{NNG_ENOFILES, EMFILE},
		{NNG_ENOSPC, ENOSPC},
		{NNG_EEXIST, EEXIST},
	};

	if (error == 0)
		return 0;
	if (error & NNG_ESYSERR)
		return -(error & ~NNG_ESYSERR);
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (table[i].nng == error)
			return -table[i].errno_;
	return -EIO;
}

/* The transport */

static int remote_get_fd(void *context)
{
	const struct remote *remote = context;

	return remote->fd;
}

static int remote_try_receive(void *context, struct inko_message **ret_message)
{
	const struct remote *remote = context;
	nng_msg *received;
	int r = nng_recvmsg(remote->socket, &received, NNG_FLAG_NONBLOCK);

	if (r != 0)
		return negative_errno(r);
	r = inko_message_new(nng_msg_body(received), nng_msg_len(received), ret_message);
	nng_msg_free(received);
	return r;
}

static int remote_try_send(void *context, struct inko_message *take_message)
{
	const struct remote *remote = context;
	const char *bytes;
	nng_msg *sent;
	size_t size;
	int r;

	if (inko_message_count_sockets(take_message) > 0)
		return -EREMOTE;
	bytes = inko_message_peek_bytes(take_message, &size);
	if (nng_msg_alloc(&sent, size) != 0)
		return -ENOMEM;
	if (size > 0)
		memcpy(nng_msg_body(sent), bytes, size);
	r = nng_sendmsg(remote->socket, sent, NNG_FLAG_NONBLOCK);
	if (r != 0) {
		nng_msg_free(sent);
		return negative_errno(r);
	}
	inko_message_free(take_message);
	return 0;
}

static void remote_close(void *context)
{
	struct remote *remote = context;

	(void)nng_close(remote->socket);
	free(remote);
}

static const struct inko_mailbox_transport push_transport = {
	.get_fd = remote_get_fd,
	.try_send = remote_try_send,
	.close = remote_close,
};

static const struct inko_mailbox_transport pull_transport = {
	.get_fd = remote_get_fd,
	.try_receive = remote_try_receive,
	.close = remote_close,
};

/* Makes a mailbox of socket, which is taken whatever happens. fd_option names its descriptor. */
static int wrap(nng_socket socket, const char *fd_option,
	const struct inko_mailbox_transport *transport, struct inko_mailbox **ret_mailbox)
{
	struct remote *remote = malloc(sizeof(*remote));
	int r = -ENOMEM;

	if (remote) {
		remote->socket = socket;
		r = negative_errno(nng_socket_get_int(socket, fd_option, &remote->fd));
	}
	if (r == 0)
		r = inko_mailbox_new(transport, remote, ret_mailbox);
	if (r < 0) {
		(void)nng_close(socket);
		free(remote);
	}
	return r;
}

/* Dialing */

static int dial(nng_socket socket, const char *url)
{
	nng_dialer dialer;
	int r = nng_dialer_create(&dialer, socket, url);

	if (r == 0)
		r = nng_dialer_set_ms(dialer, NNG_OPT_RECONNMINT, RECONNECT_MIN_MSEC);
	if (r == 0)
		r = nng_dialer_set_ms(dialer, NNG_OPT_RECONNMAXT, RECONNECT_MAX_MSEC);
	/* In the background: otherwise it is tried once and given up. */
	if (r == 0)
		r = nng_dialer_start(dialer, NNG_FLAG_NONBLOCK);
	return negative_errno(r);
}

int inko_mailbox_dial(const char *url, struct inko_mailbox **ret_mailbox)
{
	nng_socket socket;
	int r = negative_errno(nng_push0_open(&socket));

	if (r < 0)
		return r;
	r = dial(socket, url);
	if (r < 0) {
		(void)nng_close(socket);
		return r;
	}
	return wrap(socket, NNG_OPT_SENDFD, &push_transport, ret_mailbox);
}

/* Listening */

/* The path of an ipc address, or NULL for another kind. */
static const char *find_path(const char *url)
{
	static const char *const schemes[] = {"ipc://", "unix://"};

	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++)
		if (strncmp(url, schemes[i], strlen(schemes[i])) == 0)
			return url + strlen(schemes[i]);
	return NULL;
}

/* Removes a socket that whoever bound it left behind. nng would connect to find out, which is the
 * end of a listener of nng before 1.6, and would remove files of any kind. A datagram socket
 * is told the same (unix(7): ECONNREFUSED of nobody, EPROTOTYPE of somebody) and disturbs nobody.
 */
static int remove_stale(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = -1;
	struct stat status;

	/* Too long: nng says so. */
	if (strlen(path) >= sizeof(address.sun_path) || lstat(path, &status) < 0)
		return 0;
	if (!S_ISSOCK(status.st_mode))
		return -EADDRINUSE;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	memcpy(address.sun_path, path, strlen(path));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return -EADDRINUSE;
	if (errno != ECONNREFUSED)
		return errno == EPROTOTYPE ? -EADDRINUSE : -errno;
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

static int set_mode(nng_listener listener, const char *url)
{
	if (!find_path(url))
		return 0;
	return nng_listener_set_int(listener, NNG_OPT_IPC_PERMISSIONS, ADDRESS_MODE);
}

static int listen_at(nng_socket socket, const char *url)
{
	nng_listener listener;
	int r = nng_listener_create(&listener, socket, url);

	if (r == 0)
		r = nng_listener_set_size(listener, NNG_OPT_RECVMAXSZ, LIMIT_BODY_BYTES);
	if (r == 0)
		r = set_mode(listener, url);
	if (r == 0)
		r = nng_listener_start(listener, 0);
	return negative_errno(r);
}

int inko_mailbox_listen(const char *url, struct inko_mailbox **ret_mailbox)
{
	const char *path = find_path(url);
	nng_socket socket;
	int r = path ? remove_stale(path) : 0;

	if (r == 0)
		r = negative_errno(nng_pull0_open(&socket));
	if (r < 0)
		return r;
	r = listen_at(socket, url);
	if (r < 0) {
		(void)nng_close(socket);
		return r;
	}
	return wrap(socket, NNG_OPT_RECVFD, &pull_transport, ret_mailbox);
}
