#pragma once

/*
 * Mailboxes over nng, for programs that inkod did not start, and for the gateway. In libinko-nng:
 * nng starts threads, and only who needs it should pay for them. Block signals before the first
 * call if the program handles them; after it a forked child may only exec.
 */

#include <inko/mailbox.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A mailbox to send to, at an nng address that PULL listens on (ipc:///run/inko/nng/web). It
 * connects by itself, now and again; sending to a dead address waits, or is -EAGAIN. A message
 * with sockets is -EREMOTE. inko_mailbox_close loses what was not sent yet. */
int inko_mailbox_dial(const char *url, struct inko_mailbox **ret_mailbox);
/* A mailbox to receive from, listening as PULL at url; an ipc path gets mode 0600. -EADDRINUSE. */
int inko_mailbox_listen(const char *url, struct inko_mailbox **ret_mailbox);

#ifdef __cplusplus
}
#endif
