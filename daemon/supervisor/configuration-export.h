#pragma once

/*
 * What there is, written as a configuration that makes the same once more.
 */

#include <cjson/cJSON.h>

struct spec;
struct supervisor;

/* spec as JSON, the caller's, without the actors of its opens that were removed since, unless
 * wanted, which may be NULL, has them too: to open nobody is nothing. */
cJSON *configuration_export_spec(
	struct supervisor *supervisor, const struct spec *spec, const struct spec *wanted);
/* The configuration of what is there now, without what goes without saying; the caller's. */
cJSON *configuration_export(struct supervisor *supervisor);
