/*
 * The grammar of names.
 */

#include "proto/name.h"

#include <stddef.h>
#include <string.h>

#include "proto/limits.h"

#define STRING_OF(value) #value
#define DECIMAL(macro) STRING_OF(macro)

/* Not ctype(3): the locale has no say in this. */
#define NAME_ALPHABET                                                                              \
	"abcdefghijklmnopqrstuvwxyz"                                                               \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ"                                                               \
	"0123456789._-"

const char *name_complaint(const char *name)
{
	if (name[0] == '\0')
		return "is empty";
	if (name[0] == '.' || name[0] == '-')
		return "starts with '.' or '-'; start with a letter, a digit or '_'";
	if (name[strspn(name, NAME_ALPHABET)] != '\0')
		return "has a character that is not allowed; use letters, digits, '.', '_' and '-'";
	if (strlen(name) > LIMIT_NAME_CHARS)
		return "is too long; use at most " DECIMAL(LIMIT_NAME_CHARS) " characters";
	return NULL;
}

bool name_is_valid(const char *name)
{
	return !name_complaint(name);
}
