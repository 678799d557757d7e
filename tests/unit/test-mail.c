/*
 * Base64 as clients of the control socket send it (the test vectors of RFC 4648, section 10).
 */

#include "tests/unit/leaks.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/mail.h"

static void decodes_the_vectors(void **state)
{
	static const struct {
		const char *text, *bytes;
	} vectors[] = {{"", ""}, {"Zg==", "f"}, {"Zm8=", "fo"}, {"Zm9v", "foo"},
		{"Zm9vYg==", "foob"}, {"Zm9vYmE=", "fooba"}, {"Zm9vYmFy", "foobar"}};

	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(*vectors); i++) {
		void *bytes;
		size_t size;

		assert_int_equal(mail_decode_base64(vectors[i].text, &bytes, &size), 0);
		assert_int_equal(size, strlen(vectors[i].bytes));
		assert_memory_equal(bytes, vectors[i].bytes, size);
		free(bytes);
	}
}

static void decodes_every_byte(void **state)
{
	void *bytes;
	size_t size;

	(void)state;
	assert_int_equal(mail_decode_base64("AP+A/w==", &bytes, &size), 0);
	assert_int_equal(size, 4);
	assert_memory_equal(bytes, "\x00\xff\x80\xff", 4);
	free(bytes);
}

static void refuses_what_is_not_base64(void **state)
{
	static const char *const texts[] = {
		"Z", "Zg", "Zg=", "Zm9v\n", "Zm9v Zm9v", "Z===", "Zg==Zg==", "Zm-_", "====", "="};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		void *bytes;
		size_t size;

		if (mail_decode_base64(texts[i], &bytes, &size) != -EINVAL)
			fail_msg("'%s' was taken", texts[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		leaks_test(decodes_the_vectors),
		leaks_test(decodes_every_byte),
		leaks_test(refuses_what_is_not_base64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
