/*
 * From words on a command line to JSON parameters.
 */

#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
#include "duration.h"
#include "errors.h"
#include "reply.h"

/* Whole numbers up to 2^53 are exact in JSON. */
#define NUMBER_MAX (INT64_C(1) << 53)

/* What the member of a rate's time ends with. */
#define RATE_TIME "USec"

static const char no_memory[] = "there is not enough memory";

/* A flag that is given again replaces what it said before. */
static const char *set(cJSON *values, const char *member, cJSON *value)
{
	cJSON_DeleteItemFromObjectCaseSensitive(values, member);
	if (value && cJSON_AddItemToObject(values, member, value))
		return NULL;
	cJSON_Delete(value);
	return no_memory;
}

static bool parse_number(const char *text, int64_t *ret_number)
{
	bool is_negative = text[0] == '-';
	size_t digits = strspn(text + is_negative, "0123456789");
	int64_t number;

	if (digits == 0 || digits > 16 || text[is_negative + digits])
		return false;
	number = strtoll(text, NULL, 10);
	if (number > NUMBER_MAX || number < -NUMBER_MAX)
		return false;
	*ret_number = number;
	return true;
}

const char *argument_switch(const struct argument *argument, const char *text, cJSON *values)
{
	(void)text;
	return set(values, argument->member, cJSON_CreateTrue());
}

const char *argument_text(const struct argument *argument, const char *text, cJSON *values)
{
	return set(values, argument->member, cJSON_CreateString(text));
}

const char *argument_texts(const struct argument *argument, const char *text, cJSON *values)
{
	cJSON *array = cJSON_GetObjectItemCaseSensitive(values, argument->member);
	cJSON *item = cJSON_CreateString(text);

	if (!array)
		array = cJSON_AddArrayToObject(values, argument->member);
	if (array && item && cJSON_AddItemToArray(array, item))
		return NULL;
	cJSON_Delete(item);
	return no_memory;
}

const char *argument_variable(const struct argument *argument, const char *text, cJSON *values)
{
	const char *equals = strchr(text, '=');

	if (!equals || equals == text)
		return "write NAME=VALUE";
	return argument_texts(argument, text, values);
}

const char *argument_number(const struct argument *argument, const char *text, cJSON *values)
{
	int64_t number;

	if (!parse_number(text, &number))
		return "write a whole number such as 4";
	return set(values, argument->member, cJSON_CreateNumber(number));
}

const char *argument_time(const struct argument *argument, const char *text, cJSON *values)
{
	int64_t usec;

	if (duration_parse(text, &usec) < 0)
		return "write a time such as 500ms, 10s, 2min or 1h";
	return set(values, argument->member, cJSON_CreateNumber(usec));
}

static const char *set_rate(
	const struct argument *argument, int64_t count, int64_t usec, cJSON *values)
{
	char member[64];
	const char *complaint;

	snprintf(member, sizeof(member), "%s" RATE_TIME, argument->member);
	complaint = set(values, argument->member, cJSON_CreateNumber(count));
	return complaint ? complaint : set(values, member, cJSON_CreateNumber(usec));
}

const char *argument_rate(const struct argument *argument, const char *text, cJSON *values)
{
	const char *slash = strchr(text, '/');
	int64_t count, usec;
	char number[32];

	if (strcmp(text, "off") == 0)
		return set(values, argument->member, cJSON_CreateNumber(0));
	snprintf(number, sizeof(number), "%.*s", slash ? (int)(slash - text) : 0, text);
	if (!slash || !parse_number(number, &count) || count < 1 ||
		duration_parse(slash + 1, &usec) < 0)
		return "write a number and a time such as 5/10s, or off";
	return set_rate(argument, count, usec, values);
}

const char *argument_yes_no(const struct argument *argument, const char *text, cJSON *values)
{
	if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
		return "write yes or no";
	return set(values, argument->member, cJSON_CreateBool(strcmp(text, "yes") == 0));
}

static bool is_one_of(const char *text, const char *choices)
{
	size_t length = strlen(text);

	for (const char *choice = choices; *choice; choice += strspn(choice, "|")) {
		size_t size = strcspn(choice, "|");

		if (size == length && strncmp(choice, text, size) == 0)
			return true;
		choice += size;
	}
	return false;
}

/* on-failure to onFailure, as the interface writes its values. */
static void join_words(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (*text == '-' && text[1])
			*to++ = (char)toupper((unsigned char)*++text);
		else
			*to++ = *text;
	}
	*to = 0;
}

const char *argument_choice(const struct argument *argument, const char *text, cJSON *values)
{
	const char *complaint;
	char *value;

	if (!is_one_of(text, argument->value))
		return argument->value; /* which says what may be written */
	value = strdup(text);
	if (!value)
		return no_memory;
	join_words(value);
	complaint = argument_text(argument, value, values);
	free(value);
	return complaint;
}

const char *argument_host(const struct argument *argument, const char *text, cJSON *values)
{
	/* ssh would take it for an option. */
	if (!*text || *text == '-')
		return "write HOST or USER@HOST";
	return argument_text(argument, text, values);
}

const char *argument_path(const struct argument *argument, const char *text, cJSON *values)
{
	char here[PATH_MAX];
	char *path;
	const char *complaint;

	if (text[0] == '/')
		return argument_text(argument, text, values);
	if (!getcwd(here, sizeof(here)))
		return "write an absolute path: the current directory is gone";
	if (asprintf(&path, "%s/%s", here, text) < 0)
		return no_memory;
	complaint = argument_text(argument, path, values);
	free(path);
	return complaint;
}

const struct argument *argument_find(const struct argument *table, const char *word)
{
	size_t length = strcspn(word, "=");

	for (; table->help; table++) {
		if (table->letter && strcmp(table->letter, word) == 0)
			return table;
		if (table->flag && strlen(table->flag) == length &&
			strncmp(table->flag, word, length) == 0)
			return table;
	}
	return NULL;
}

const struct argument *argument_find_member(const struct argument *table, const char *member)
{
	for (; table->help; table++) {
		size_t length = strlen(table->member);

		if (strcmp(table->member, member) == 0)
			return table;
		if (table->parse == argument_rate && strncmp(table->member, member, length) == 0 &&
			strcmp(member + length, RATE_TIME) == 0)
			return table;
	}
	return NULL;
}

/* Of a choice the name of the value is what may be written. */
static int complain_value(
	const struct argument *argument, const char *text, const char *verb, const char *complaint)
{
	const char *name = argument->flag ? argument->flag : argument->value;

	if (complaint != argument->value)
		return complain_usage(verb, "%s '%s': %s", name, text, complaint);
	return argument->flag
		       ? complain_usage(verb, "%s '%s': write one of %s", name, text, complaint)
		       : complain_usage(verb, "'%s': write one of %s", text, complaint);
}

int argument_take_flag(
	const struct argument *argument, char *const *words, const char *verb, cJSON *values)
{
	const char *equals = strchr(words[0], '=');
	const char *text = equals ? equals + 1 : argument->value ? words[1] : NULL;
	const char *complaint;

	if (argument->value && !text)
		return -complain_usage(verb, "%s needs a value: %s %s", argument->flag,
			argument->flag, argument->value);
	if (!argument->value && text)
		return -complain_usage(verb, "%s takes no value", argument->flag);
	complaint = argument->parse(argument, text, values);
	if (complaint)
		return -complain_value(argument, text ? text : "", verb, complaint);
	return argument->value && !equals ? 2 : 1;
}

const struct argument *argument_find_position(
	const struct argument *table, bool after, const cJSON *values)
{
	const struct argument *found = NULL;

	for (; table->help; table++) {
		if (table->flag)
			continue;
		if (table->rest && after)
			return table;
		if (!table->rest && !found && !reply_member(values, table->member))
			found = table;
	}
	return found;
}

bool argument_takes_rest(const struct argument *table)
{
	for (; table->help; table++) {
		if (table->rest)
			return true;
	}
	return false;
}

int argument_take_word(
	const struct argument *table, const char *word, bool after, const char *verb, cJSON *values)
{
	const struct argument *argument = argument_find_position(table, after, values);
	const char *complaint;

	if (!argument && argument_takes_rest(table))
		return complain_usage(verb, "write -- before the program: -- %s", word);
	if (!argument)
		return complain_usage(verb, "'%s' is one word too many for %s", word, verb);
	complaint = argument->parse(argument, word, values);
	if (complaint)
		return complain_value(argument, word, verb, complaint);
	return STATUS_DONE;
}

int argument_check(const struct argument *table, const char *verb, const cJSON *values)
{
	for (; table->help; table++) {
		if (!table->required || reply_member(values, table->member))
			continue;
		if (table->rest)
			return complain_usage(verb, "%s is missing: write -- %s at the end",
				table->value, table->value);
		return complain_usage(
			verb, "%s is missing", table->flag ? table->flag : table->value);
	}
	return STATUS_DONE;
}
