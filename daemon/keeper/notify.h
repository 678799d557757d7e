#pragma once

/*
 * What inkod says to the service manager that started it: sd_notify(3), by hand.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

/* What it is told at once at most; two of the longest status lines there are. */
#define NOTIFY_BYTES 2048

struct notify {
	int fd; /* -1: nobody wants to know */
	struct sockaddr_un address;
	socklen_t length;
	char waiting[NOTIFY_BYTES]; /* what could not be sent yet */
	uint64_t again_msec;
};

/* By NOTIFY_SOCKET, which stays in the environment: another program in this process's place may
 * need it again. What it says that cannot be used is logged, and nobody is told. */
void notify_open(struct notify *notify);
void notify_close(struct notify *notify);

bool notify_is_wanted(const struct notify *notify);
/* Says text, lines of NAME=VALUE; later if the service manager is behind. Never waits. */
void notify_say(struct notify *notify, const char *text, uint64_t now_msec);
/* When notify_retry has something to do; UINT64_MAX for never. */
uint64_t notify_due_msec(const struct notify *notify);
void notify_retry(struct notify *notify, uint64_t now_msec);
