#include <stddef.h>

#include "daemon/supervisor/roll-course.h"

static bool fails(const struct roll_census *census)
{
	return census->has_failed;
}

static bool has_surplus(const struct roll_census *census)
{
	return census->fresh > census->wanted;
}

/* Only what is ready replaces an old one. */
static bool can_spare_old(const struct roll_census *census)
{
	return census->old > 0 && census->old + census->fresh_ready > census->wanted;
}

static bool is_complete(const struct roll_census *census)
{
	return census->old == 0 && census->fresh_ready >= census->wanted;
}

static bool may_start(const struct roll_census *census)
{
	return census->fresh < census->wanted &&
	       census->old + census->fresh < census->wanted + census->max_extra;
}

/* The first that applies. */
static const struct {
	bool (*applies)(const struct roll_census *census);
	enum roll_action action;
} rules[] = {
	{fails, ROLL_FAIL},
	{has_surplus, ROLL_RETIRE_FRESH},
	{can_spare_old, ROLL_RETIRE_OLD},
	{is_complete, ROLL_FINISH},
	{may_start, ROLL_START},
};

enum roll_action roll_course(const struct roll_census *census)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
		if (rules[i].applies(census))
			return rules[i].action;
	return ROLL_WAIT;
}
