#pragma once

/*
 * The control socket: systemd's where systemd gave one, else one of inkod's own, which is held too,
 * so that who connects while there is no supervisor waits.
 */

struct held;
struct supervisor;

/* Serves it: systemd's, the one in held, or a new one. Errors of own_socket_open and clients_new.
 */
int control_socket_serve(struct supervisor *supervisor, struct held *held);
/* Has another keeper hold it, unless it is systemd's. */
void control_socket_put(struct supervisor *supervisor);
/* Goes on with the one that systemd gave last. */
void control_socket_follow_systemd(struct supervisor *supervisor);
