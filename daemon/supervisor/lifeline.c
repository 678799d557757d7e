#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/supervisor/holding.h"
#include "daemon/supervisor/lifeline.h"
#include "daemon/supervisor/log.h"
#include "daemon/supervisor/supervisor.h"
#include "proto/descriptor.h"
#include "proto/json-fields.h"

static const struct json_field no_fields[] = {JSON_FIELDS_END};

void lifeline_put(struct supervisor *supervisor)
{
	if (supervisor->lifeline_fds[0] >= 0)
		holding_put(supervisor->holding, LIFELINE_KEY, no_fields, supervisor,
			supervisor->lifeline_fds, 2);
}

int lifeline_adopt(struct supervisor *supervisor, struct keep_message *message)
{
	int r = holding_decode(message, no_fields, 2, supervisor);

	if (r < 0)
		return r;
	for (size_t i = 0; i < 2; i++)
		supervisor->lifeline_fds[i] = message->passed.fds[i];
	message->passed.n_fds = 0;
	return 0;
}

void lifeline_begin(struct supervisor *supervisor)
{
	if (supervisor->lifeline_fds[0] >= 0)
		return;
	if (pipe2(supervisor->lifeline_fds, O_CLOEXEC) < 0) {
		log_error("instances without a mailbox will not be told if inkod dies: %s",
			strerror(errno));
		supervisor->lifeline_fds[0] = supervisor->lifeline_fds[1] = -1;
		return;
	}
	lifeline_put(supervisor);
}

int lifeline_open(int lifeline_fd, int signal_number, int least_fd)
{
	_cleanup_close_ int fd = -1;
	char path[32];

	if (lifeline_fd < 0)
		return -1;
	/* Owner and signal belong to an open file, which a copy of the descriptor would share. */
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", lifeline_fd);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fcntl(fd, F_SETSIG, signal_number) < 0 || fcntl(fd, F_SETOWN, getpid()) < 0 ||
		fcntl(fd, F_SETFL, O_NONBLOCK | O_ASYNC) < 0)
		return -1;
	return fcntl(fd, F_DUPFD_CLOEXEC, least_fd);
}
