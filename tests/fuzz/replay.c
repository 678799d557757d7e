/*
 * Gives a fuzz target the files that it is called with, as libFuzzer does, for compilers that have
 * none: what was found once is tried by every build.
 */

#include <errno.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

/* The file's bytes in memory of just their size, where a sanitizer sees who reads on; NULL and
 * errno when they cannot be read. */
static uint8_t *read_input(const char *path, size_t *ret_size)
{
	FILE *file = fopen(path, "re");
	uint8_t *data = NULL;
	struct stat status;
	size_t size;

	if (!file)
		return NULL;
	if (fstat(fileno(file), &status) == 0) {
		size = (size_t)status.st_size;
		data = malloc(size);
		if (data && fread(data, 1, size, file) != size) {
			free(data);
			data = NULL;
		}
		*ret_size = size;
	}
	(void)fclose(file);
	return data;
}

int main(int argc, char *argv[])
{
	for (int i = 1; i < argc; i++) {
		size_t size = 0;
		uint8_t *data = read_input(argv[i], &size);

		if (!data) {
			(void)fprintf(stderr, "%s: %s\n", argv[i], strerror(errno));
			return 1;
		}
		/* Who reads of a failure wants to know with what. */
		(void)fprintf(stderr, "%s\n", argv[i]);
		(void)LLVMFuzzerTestOneInput(data, size);
		free(data);
	}
	(void)printf("%d inputs\n", argc - 1);
	return argc > 1 ? 0 : 1;
}
