/*
 * Verbs about configurations: what an inkod shall have, and has, as one JSON object.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "duration.h"
#include "errors.h"
#include "printable.h"
#include "reply.h"
#include "verbs.h"

/* inkod reads no longer one, from a file or in a call. */
#define BYTES_MAX (1u << 20)
/* More than there are in any: arrays of objects of arrays. */
#define DEPTH_MAX 8

/* Reading. */

static char *read_text(FILE *stream, size_t *ret_size)
{
	char *text = malloc(BYTES_MAX + 2);

	if (text) {
		*ret_size = fread(text, 1, BYTES_MAX + 1, stream);
		text[*ret_size] = '\0';
	}
	return text;
}

static int read_file(const char *path, char **ret_text, size_t *ret_size)
{
	FILE *stream = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	int failed;

	if (!stream)
		return complain(STATUS_REFUSED, "%s cannot be opened: %s", path, strerror(errno));
	*ret_text = read_text(stream, ret_size);
	failed = ferror(stream);
	if (stream != stdin)
		fclose(stream);
	if (!*ret_text)
		return complain(STATUS_REFUSED, "there is not enough memory");
	if (failed)
		return complain(STATUS_REFUSED, "%s cannot be read: %s", path, strerror(errno));
	if (*ret_size > BYTES_MAX)
		return complain(STATUS_REFUSED,
			"%s is longer than %u KiB, which is all that inkod "
			"takes",
			path, BYTES_MAX >> 10);
	return STATUS_DONE;
}

static int complain_place(const char *path, const char *text, const char *end)
{
	size_t line = 1, column = 1;

	for (; text < end; text++) {
		column = *text == '\n' ? 1 : column + 1;
		line += *text == '\n';
	}
	return complain(STATUS_REFUSED, "%s:%zu:%zu: this is no JSON", path, line, column);
}

/* What inkod would refuse without a word to say about it, since no JSON is like that. */
static int check_tree(const char *path, const cJSON *value, int depth)
{
	const cJSON *child;
	int status = STATUS_DONE;

	if (depth > DEPTH_MAX)
		return complain(
			STATUS_REFUSED, "%s: objects and arrays are nested too deeply", path);
	cJSON_ArrayForEach(child, value) {
		if (cJSON_IsObject(value) &&
			cJSON_GetObjectItemCaseSensitive(value, child->string) != child)
			return complain(STATUS_REFUSED, "%s: an object has two fields '%s'", path,
				child->string);
		status = check_tree(path, child, depth + 1);
		if (status != STATUS_DONE)
			return status;
	}
	return status;
}

/* A NUL would end its string here, unnoticed. */
/* Which cJSON ends a string at. A backslash that is escaped begins no escape itself. */
static bool has_nul(const char *text, size_t size)
{
	const char *escape = text;

	if (strlen(text) < size)
		return true;
	while ((escape = strchr(escape, '\\'))) {
		if (strncmp(escape, "\\u0000", 6) == 0)
			return true;
		escape += escape[1] ? 2 : 1;
	}
	return false;
}

static int parse(const char *path, const char *text, size_t size, cJSON **ret_configuration)
{
	const char *end = text;
	cJSON *configuration;
	int status;

	if (has_nul(text, size) || !printable_is_utf8(text, size))
		return complain(STATUS_REFUSED, "%s has characters that are no UTF-8 text", path);
	configuration = cJSON_ParseWithOpts(text, &end, true);
	if (!configuration)
		return complain_place(path, text, end);
	if (!cJSON_IsObject(configuration))
		status = complain(STATUS_REFUSED,
			"%s is no JSON object: write {\"actors\": [...], "
			"\"listeners\": [...]}",
			path);
	else
		status = check_tree(path, configuration, 0);
	if (status == STATUS_DONE)
		*ret_configuration = configuration;
	else
		cJSON_Delete(configuration);
	return status;
}

static int load(const char *path, cJSON **ret_configuration)
{
	char *text = NULL;
	size_t size = 0;
	int status = read_file(path, &text, &size);

	if (status == STATUS_DONE)
		status = parse(strcmp(path, "-") == 0 ? "standard input" : path, text, size,
			ret_configuration);
	free(text);
	return status;
}

/* Printing. */

static const struct {
	const char *action, *effect; /* NULL: any */
	char sign;
	const char *text;
} effects[] = {
	{"retry", "start", '!', "has failed: it is started again"},
	{"retry", "roll", '!', "its last roll failed: it rolls again, an instance after the other"},
	{"retry", "restart", '!', "its last roll failed: it ends, and is started again"},
	{"add", "start", '+', "its instances are started"},
	{"add", "open", '+', "it is opened"},
	{"add", "nextStart", '+', "it is opened, and its actor has it when it is started again"},
	{"change", "atOnce", '~', "at once; no instance is replaced"},
	{"change", "start", '~', "at once, and it is started again, as it has failed"},
	{"change", "roll", '~', "it rolls: its instances are replaced, one after the other"},
	{"change", "restart", '~',
		"it ends, and is started again: checked at an address, it cannot roll"},
	{"change", "nextStart", '~', "when it is started: it is stopped now"},
	{"change", "replace", '~', "it is closed and opened again; who waits there is refused"},
	{"remove", "stop", '-', "its instances finish what they serve, and end"},
	{"remove", "close", '-', "it is closed"},
	{NULL, NULL, '~', "it is changed"},
};

static bool is_text(const cJSON *object, const char *member, const char *text)
{
	return !text || strcmp(reply_shown(object, member), text) == 0;
}

static void print_value(const char *field, const char *value)
{
	size_t length = strlen(field);
	char text[DURATION_TEXT_BYTES];

	if (value && length > 4 && strcmp(field + length - 4, "USec") == 0) {
		duration_format(strtoll(value, NULL, 10), text);
		value = text;
	}
	printf("%s", value ? value : "nothing");
}

static void print_fields(const cJSON *change)
{
	const cJSON *field;

	cJSON_ArrayForEach(field, reply_member(change, "fields")) {
		const char *name = reply_shown(field, "field");

		printf("    %s: ", name);
		print_value(name, reply_text(field, "from"));
		printf(" -> ");
		print_value(name, reply_text(field, "to"));
		putchar('\n');
	}
}

static bool is_kept(const cJSON *change)
{
	return is_text(change, "action", "keep");
}

/* Nothing changes but that the configuration has it, as it is. */
static bool is_taken_over(const cJSON *change)
{
	const cJSON *fields = reply_member(change, "fields");

	return is_text(change, "action", "change") && is_text(change, "effect", "atOnce") &&
	       cJSON_GetArraySize(fields) == 1 && is_text(fields->child, "field", "origin");
}

static void print_change(const cJSON *change)
{
	size_t i = 0;

	while (!is_text(change, "action", effects[i].action) ||
		!is_text(change, "effect", effects[i].effect))
		i++;
	printf("%c %s %s: %s\n", effects[i].sign, reply_shown(change, "kind"),
		reply_shown(change, "name"), effects[i].text);
	print_fields(change);
}

/* One line of all such: what, and their names. Nothing where there are none. How many there are. */
static int print_names(const cJSON *changes, bool (*is_such)(const cJSON *change), const char *what)
{
	const cJSON *change;
	int n = 0;

	cJSON_ArrayForEach(change, changes) {
		if (is_such(change))
			printf("%s%s %s", n++ ? ", " : what, reply_shown(change, "kind"),
				reply_shown(change, "name"));
	}
	if (n > 0)
		putchar('\n');
	return n;
}

/* How many changes there are. */
static int print_changes(const cJSON *changes)
{
	const cJSON *change;
	int n = 0;

	cJSON_ArrayForEach(change, changes) {
		if (is_kept(change) || is_taken_over(change))
			continue;
		print_change(change);
		n++;
	}
	n += print_names(
		changes, is_taken_over, "kept by the configuration from now on, as they are: ");
	(void)print_names(
		changes, is_kept, "not in the configuration, and kept (--prune removes them): ");
	if (n == 0)
		printf("nothing to change\n");
	/* It is said before it is done, also to who reads a pipe. */
	(void)fflush(stdout);
	return n;
}

/* Verbs. */

static int ask(
	struct session *session, const struct verb *verb, const cJSON *parameters, int *ret_changes)
{
	cJSON *reply = NULL;
	int status = session_call(session, verb->method, parameters, &reply);

	if (reply && ret_changes)
		*ret_changes = print_changes(reply_member(reply, "changes"));
	cJSON_Delete(reply);
	return status;
}

/* What will be done is asked and said first. */
static int apply(struct session *session, const struct verb *verb, cJSON *parameters)
{
	bool only_shows = reply_member(parameters, "dryRun");
	int status, n = 0;

	if (session->json)
		return ask(session, verb, parameters, NULL);
	if (!only_shows && !cJSON_AddTrueToObject(parameters, "dryRun"))
		return complain(STATUS_REFUSED, "there is not enough memory");
	status = ask(session, verb, parameters, &n);
	if (status != STATUS_DONE || only_shows)
		return status;
	cJSON_DeleteItemFromObjectCaseSensitive(parameters, "dryRun");
	status = ask(session, verb, parameters, NULL);
	if (status == STATUS_DONE && n > 0)
		printf("applied\n");
	return status;
}

int run_apply(struct session *session, const struct verb *verb, cJSON *parameters)
{
	cJSON *configuration = NULL;
	int status = load(reply_text(parameters, "file"), &configuration);

	if (status != STATUS_DONE)
		return status;
	cJSON_DeleteItemFromObjectCaseSensitive(parameters, "file");
	if (!cJSON_AddItemToObject(parameters, "configuration", configuration)) {
		cJSON_Delete(configuration);
		return complain(STATUS_REFUSED, "there is not enough memory");
	}
	return apply(session, verb, parameters);
}

/* A configuration as a person writes one: a member of an object a line, and arrays of strings on
 * theirs. */

static void print_json(FILE *stream, const cJSON *value, int depth);

static void begin_line(FILE *stream, int depth)
{
	(void)fprintf(stream, "\n%*s", 4 * depth, "");
}

static bool has_lines(const cJSON *value)
{
	return cJSON_IsObject(value) || cJSON_IsObject(value->child);
}

static void print_children(FILE *stream, const cJSON *value, int depth)
{
	const cJSON *child;

	cJSON_ArrayForEach(child, value) {
		if (has_lines(value))
			begin_line(stream, depth);
		if (child->string)
			(void)fprintf(stream, "\"%s\": ", child->string);
		print_json(stream, child, depth);
		if (child->next)
			(void)fputs(has_lines(value) ? "," : ", ", stream);
	}
}

static void print_json(FILE *stream, const cJSON *value, int depth)
{
	char *text;

	if (cJSON_IsObject(value) || cJSON_IsArray(value)) {
		(void)fputc(cJSON_IsObject(value) ? '{' : '[', stream);
		print_children(stream, value, depth + 1);
		if (value->child && has_lines(value))
			begin_line(stream, depth);
		(void)fputc(cJSON_IsObject(value) ? '}' : ']', stream);
		return;
	}
	text = cJSON_PrintUnformatted(value);
	(void)fputs(text ? text : "null", stream);
	free(text);
}

void print_configuration(const cJSON *parameters, const cJSON *reply)
{
	char *text = NULL;
	size_t size = 0;
	FILE *stream;

	(void)parameters;
	stream = open_memstream(&text, &size);
	if (!stream) {
		(void)complain(STATUS_REFUSED, "there is not enough memory");
		return;
	}
	print_json(stream, reply_member(reply, "configuration"), 0);
	(void)fputc('\n', stream);
	(void)fclose(stream);
	(void)fwrite(text, 1, size, stdout);
	free(text);
	if (size > BYTES_MAX)
		(void)complain(STATUS_DONE,
			"this is longer than %u KiB, which is all that inkod takes: divide it, and "
			"apply each part without --prune",
			BYTES_MAX >> 10);
}
