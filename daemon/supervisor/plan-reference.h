#pragma once

/*
 * Is everybody there whom a configuration names?
 */

struct configuration_fault;
struct plan;

/* Whom its actors open, and its listeners lead to. -EINVAL with the reason in *fault. */
int plan_reference_check(const struct plan *plan, struct configuration_fault *fault);
/* The same of listeners that are not in it, and stay: can they lead there still? */
int plan_reference_check_kept(const struct plan *plan, struct configuration_fault *fault);
