#pragma once

/*
 * Tables of what a verb takes on its command line, and the one place that turns it into JSON
 * parameters. Most members are sent to inkod as they are; a handler takes out what it needs itself.
 */

#include <stdbool.h>

#include <cjson/cJSON.h>

struct argument;

/* Adds text to values as argument says. NULL, or what to write instead. */
typedef const char *argument_parse_fn(
	const struct argument *argument, const char *text, cJSON *values);

struct argument {
	const char *flag;   /* "--queue"; NULL: by position */
	const char *letter; /* "-f", or NULL */
	const char *value;  /* what help calls the value; NULL: a flag without one */
	const char *member; /* of the parameters */
	argument_parse_fn *parse;
	bool required;
	bool rest;	  /* takes all that stands after "--" */
	const char *help; /* NULL ends a table */
	char initial[64]; /* what counts without it, where help does not say so */
};

argument_parse_fn argument_switch;   /* true */
argument_parse_fn argument_text;     /* a string */
argument_parse_fn argument_texts;    /* one more string of an array */
argument_parse_fn argument_variable; /* the same, K=V */
argument_parse_fn argument_number;   /* a whole number */
argument_parse_fn argument_yes_no;   /* true or false */
argument_parse_fn argument_choice; /* one of those in value, between '|'; on-failure as onFailure */
argument_parse_fn argument_time;   /* microseconds, in member */
argument_parse_fn argument_rate;   /* N/TIME or off: in member and memberUSec */
argument_parse_fn argument_host;   /* a string that ssh takes for a host */
argument_parse_fn argument_path;   /* an absolute path of what may be relative */

/* The row of table that words[0] ("--queue", "--queue=8") is a flag of; NULL if there is none. */
const struct argument *argument_find(const struct argument *table, const char *word);

/* The row of table that is sent as member, of which a flag may have several; NULL if there is none.
 */
const struct argument *argument_find_member(const struct argument *table, const char *member);

/* Takes the flag in words[0] and its value, there or in words[1] (words ends with NULL). How many
 * words that were, or a negative status after a complaint. */
int argument_take_flag(
	const struct argument *argument, char *const *words, const char *verb, cJSON *values);

/* Takes word for the first argument of table by position that has no value yet; after is whether
 * "--" stood before. STATUS_DONE, or another status after a complaint. */
int argument_take_word(const struct argument *table, const char *word, bool after, const char *verb,
	cJSON *values);

/* The row that the next word by position is for, which stands behind "--" or not; NULL if there
 * are too many words. */
const struct argument *argument_find_position(
	const struct argument *table, bool after, const cJSON *values);

/* Does it take what stands behind "--"? */
bool argument_takes_rest(const struct argument *table);

/* Is there all that is required? */
int argument_check(const struct argument *table, const char *verb, const cJSON *values);
