#include "daemon/keeper/replacement.h"

#include <string.h>

#include "daemon/keeper/carry.h"
#include "daemon/keeper/launch.h"
#include "daemon/keeper/log.h"
#include "proto/descriptor.h"

bool replacement_is_due(struct supervision *supervision)
{
	return supervision->replacement_wanted && supervision_is_settled(supervision) &&
	       !trial_is_under_way(&supervision->upgrade.trial) &&
	       !supervision_has_output(supervision);
}

void replacement_execute(struct supervision *supervision, char **argv)
{
	const struct carried carried = {
		.lock_fd = supervision->lock_fd,
		.link_fd = supervision->link.fd,
		.supervisor_fd = supervision->life.pidfd,
		.supervisor = supervision->life.pid,
		.stop_wanted = supervision->stop_wanted,
	};
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX] = "the installed inkod";
	int r = launch_find_own(path);

	supervision->replacement_wanted = false;
	if (r == 0)
		r = carry_write(&carried, supervision->store, &fd);
	if (r == 0)
		r = carry_execute(path, argv, &carried, supervision->store, fd,
			supervision->keeper_replaced + 1);
	log_line("cannot be replaced by %s: %s; goes on as it is. Put the program there, then "
		 "'inkoctl upgrade'",
		path, strerror(-r));
}

int replacement_go_on(struct supervision *supervision, int carried_fd)
{
	_cleanup_close_ int fd = carried_fd;
	struct carried carried;
	int r = carry_read(fd, &carried, supervision->store);

	if (r < 0)
		return r;
	supervision->lock_fd = carried.lock_fd;
	supervision_go_on(
		supervision, carried.supervisor, &carried.supervisor_fd, &carried.link_fd);
	supervision->stop_wanted = carried.stop_wanted != 0;
	supervision->link.is_told[LINK_STOP] = supervision->stop_wanted;
	log_line("inkod " PACKAGE_VERSION " goes on with what inkod held");
	return 0;
}
