#include "proto/stamp.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

bool stamp_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat status;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
	       fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device &&
	       status.st_ino == inode;
}

void stamp_format(char ret_stamp[static STAMP_BYTES])
{
	/* strftime(3) writes the offset without its colon. */
	char zone[sizeof("+0000")], text[STAMP_BYTES];
	time_t now = time(NULL);
	struct tm local;

	ret_stamp[0] = '\0';
	if (!localtime_r(&now, &local) || strftime(zone, sizeof(zone), "%z", &local) == 0 ||
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &local) == 0)
		return;
	(void)snprintf(ret_stamp, STAMP_BYTES, "%.19s%.3s:%.2s ", text, zone, zone + 3);
}
