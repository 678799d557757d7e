#pragma once

/*
 * The sockets of the listeners that a plan opens, or has listen elsewhere.
 */

struct change;
struct configuration_fault;
struct plan;

/* Tries all of them, and binds them, unless the plan is for a dry run. The last of all checks:
 * nobody who connects is disturbed by a mistake that was found before. -EINVAL with the reason in
 * *fault, -ENOMEM. */
int plan_socket_bind_all(struct plan *plan, struct configuration_fault *fault);
/* Closes the one of change, if it was not taken. */
void plan_socket_close(struct change *change);
