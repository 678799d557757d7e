/*
 * What inkoctl spawn takes, out of the table that inkod checks it with.
 */

#include <errno.h>

#include "proto/spec.h"

#include <inko/control.h>

/* One list for all, in the words of the public header. */
#define SAME(option, writing) _Static_assert((int)(option) == (int)(writing), #option)
SAME(INKO_OPTION_TEXT, SPEC_TEXT);
SAME(INKO_OPTION_TEXTS, SPEC_TEXTS);
SAME(INKO_OPTION_VARIABLE, SPEC_VARIABLE);
SAME(INKO_OPTION_PATH, SPEC_PATH);
SAME(INKO_OPTION_CHOICE, SPEC_CHOICE);
SAME(INKO_OPTION_NUMBER, SPEC_NUMBER);
SAME(INKO_OPTION_TIME, SPEC_TIME);
SAME(INKO_OPTION_RATE, SPEC_RATE);
SAME(INKO_OPTION_YES_NO, SPEC_YES_NO);

static void fill(const struct json_field *field, struct inko_spawn_option *ret_option)
{
	const struct spec_about *about = spec_about(field);

	*ret_option = (struct inko_spawn_option){
		.member = field->name,
		.flag = about->flag,
		.value = about->value,
		.help = about->help,
		.needs = about->needs,
		.kind = (enum inko_option_kind)about->writing,
		.initial_text = about->initial_text,
		.initial = about->initial,
	};
	if (about->writing == SPEC_RATE)
		ret_option->initial_usec = spec_about(field + 1)->initial;
}

int inko_spawn_option_get(unsigned int index, struct inko_spawn_option *ret_option)
{
	for (const struct json_field *field = spec_fields; field->name; field++) {
		if (!spec_about(field) || !spec_about(field)->flag || index-- > 0)
			continue;
		fill(field, ret_option);
		return 0;
	}
	return -ENOENT;
}
