#pragma once

/*
 * Wakes who waits in accept, from another task or thread or from a signal handler.
 */

#include <inko/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

struct inko_notifier;

int inko_notifier_new(struct inko_notifier **ret_notifier);
/* No socket may have it any more. NULL is allowed. Returns NULL. */
struct inko_notifier *inko_notifier_free(struct inko_notifier *notifier);
/* Ends one accept, the one that waits or the next one, with -EINTR; n calls end n. For any thread,
 * and safe in a signal handler; errno stays. */
void inko_notifier_notify(struct inko_notifier *notifier);
/* Has accept on this socket end when notifier is notified; NULL: no more. The notifier is borrowed:
 * it must outlive its use by the socket, and may be that of several. */
void inko_socket_set_notifier(struct inko_socket *listener, struct inko_notifier *notifier);

#ifdef __cplusplus
}
#endif
