#pragma once

/*
 * What the acceptor says of listeners (sd_notify(3)), after what listener-news.h told it.
 */

struct supervisor;

/* The acceptor says that it has closed one (X_INKO_CLOSED=NAME), or accepts no more from one that
 * was paused for the time TURN (X_INKO_PAUSED=NAME TURN), or has nobody waiting any more at a
 * former socket (see former-socket.h). */
void listener_notice_read(struct supervisor *supervisor, const char *line);
