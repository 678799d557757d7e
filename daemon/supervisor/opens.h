#pragma once

/*
 * Whom an actor that is spawned by hand may say that it opens: who is there, as in a configuration
 * (plan.h), so that what is exported of it can be applied.
 */

struct spec;
struct supervisor;

/* Is everybody there that spec opens, itself included? Else -EINVAL, and a sentence. */
int opens_check(
	const struct supervisor *supervisor, const struct spec *spec, char ret_reason[static 512]);
