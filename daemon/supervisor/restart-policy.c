#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/restart-policy.h"
#include "proto/spec.h"

#define BACKOFF_MAX_USEC (30 * UINT64_C(1000000))
/* Ready for so many times the first backoff, an instance is well again, and its next backoff is the
 * first: one that serves and is killed now and then is back at once. (Measured against its last
 * backoff it could fall behind for ever.) */
#define WELL_BACKOFFS 10

void restart_policy_done(struct restart_policy *policy)
{
	free(policy->deaths);
	policy->deaths = NULL;
}

void restart_policy_forgive(struct restart_policy *policy)
{
	policy->n_deaths = 0;
	policy->backoff_usec = 0;
}

void restart_policy_note_start(struct restart_policy *policy)
{
	policy->ready_usec = 0;
}

void restart_policy_note_ready(struct restart_policy *policy, uint64_t now_usec)
{
	policy->ready_usec = now_usec;
}

bool restart_policy_note_death(
	struct restart_policy *policy, const struct spec *spec, uint64_t now_usec)
{
	size_t most = (size_t)spec->intensity;

	if (most == 0)
		return false;
	if (!policy->deaths)
		policy->deaths = calloc(most, sizeof(*policy->deaths));
	if (!policy->deaths)
		return false;
	if (policy->n_deaths == most &&
		now_usec - policy->deaths[0] <= (uint64_t)spec->intensity_usec)
		return true;
	if (policy->n_deaths == most)
		memmove(policy->deaths, policy->deaths + 1,
			--policy->n_deaths * sizeof(*policy->deaths));
	policy->deaths[policy->n_deaths++] = now_usec;
	return false;
}

bool restart_policy_wants(const struct spec *spec, bool is_clean)
{
	if (strcmp(spec->restart, "never") == 0)
		return false;
	return !is_clean || strcmp(spec->restart, "onFailure") != 0;
}

static uint64_t jitter(uint64_t usec, uint16_t random)
{
	return usec * 3 / 4 + usec / 2 * random / UINT16_MAX;
}

uint64_t restart_policy_back_off(
	struct restart_policy *policy, const struct spec *spec, uint64_t now_usec, uint16_t random)
{
	uint64_t first = (uint64_t)spec->backoff_usec;
	bool well = policy->ready_usec && now_usec - policy->ready_usec >= WELL_BACKOFFS * first;
	uint64_t most = first > BACKOFF_MAX_USEC ? first : BACKOFF_MAX_USEC;
	uint64_t backoff = policy->backoff_usec == 0 || well ? first : policy->backoff_usec * 2;

	policy->backoff_usec = backoff > most ? most : backoff;
	return jitter(policy->backoff_usec, random);
}
