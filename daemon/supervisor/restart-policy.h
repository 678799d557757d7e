#pragma once

/*
 * When an instance that ended by itself is started again, and when it has ended too often to be:
 * backoff, jitter and intensity. Arithmetic alone: the caller brings the time (CLOCK_MONOTONIC)
 * and the randomness.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spec;

/* What the past of an instance says about its next start. All 0 is one that has no past. */
struct restart_policy {
	uint64_t ready_usec;   /* when its process said READY=1, 0 if it has not */
	uint64_t backoff_usec; /* before the last start, 0 if there was none */
	uint64_t *deaths;      /* when it ended, the last spec.intensity times */
	size_t n_deaths;
};

/* Frees what policy owns, not policy itself. */
void restart_policy_done(struct restart_policy *policy);

/* Somebody wants it to run: how it fared before no longer counts. */
void restart_policy_forgive(struct restart_policy *policy);
/* A process starts, and is not ready yet. */
void restart_policy_note_start(struct restart_policy *policy);
void restart_policy_note_ready(struct restart_policy *policy, uint64_t now_usec);
/* It ended, and nobody asked for that. Is it once more than spec's intensity allows? */
bool restart_policy_note_death(
	struct restart_policy *policy, const struct spec *spec, uint64_t now_usec);
/* Is an instance that ended by itself, as it should or not, to be started again, says spec? */
bool restart_policy_wants(const struct spec *spec, bool is_clean);
/* How long to wait before the next start, in microseconds: random (any number is as likely as any
 * other) spreads it over a quarter to either side, so that what fell together does not start
 * together. */
uint64_t restart_policy_back_off(
	struct restart_policy *policy, const struct spec *spec, uint64_t now_usec, uint16_t random);
