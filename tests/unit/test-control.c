/*
 * The control client against a server that says what a test has written down, in the pieces in
 * which it is written down, and then goes away.
 */

#include "tests/unit/sockets.h"
#include "tests/unit/tasks.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <inko/control.h>

#define PIECES_MAX 4
#define BACKLOG_MAX 4
#define PATIENCE_USEC (15 * SOON_USEC)

/* What the server answers to each call, and the call that it must see first. */
struct scene {
	const char *expected;
	struct {
		const char *bytes;
		size_t size;
	} pieces[PIECES_MAX];
	size_t filler; /* so many 'x' after the pieces */
	int calls;
};

#define PIECE(text)                                                                                \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}

struct stage {
	char directory[32];
	char path[64];
	int listener;
	pid_t server;
	uintptr_t n_fds; /* of the test itself */
	struct inko_control *control;
};

static int set_up(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stage *stage = calloc(1, sizeof(*stage));

	assert_non_null(stage);
	stage->n_fds = leaks_count_fds();
	strcpy(stage->directory, "/tmp/test-control-XXXXXX");
	assert_non_null(mkdtemp(stage->directory));
	snprintf(stage->path, sizeof(stage->path), "%s/io.inkod.Supervisor", stage->directory);
	strcpy(address.sun_path, stage->path);
	stage->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(stage->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(stage->listener, 8), 0);
	*state = stage;
	return 0;
}

static int tear_down(void **state)
{
	struct stage *stage = *state;
	int status = 0;

	stage->control = inko_control_close(stage->control);
	close(stage->listener);
	if (stage->server > 0)
		assert_int_equal(waitpid(stage->server, &status, 0), stage->server);
	assert_int_equal(status, 0);
	unlink(stage->path);
	rmdir(stage->directory);
	assert_int_equal(leaks_count_fds(), stage->n_fds);
	free(stage);
	return 0;
}

/* Reads one frame. false at the end of the stream. */
static bool read_call(int fd, char *buffer, size_t size)
{
	size_t length = 0;

	while (length < size && read(fd, buffer + length, 1) == 1) {
		if (buffer[length++] == '\0')
			return true;
	}
	return false;
}

static void play_pieces(int fd, const struct scene *scene)
{
	for (int i = 0; i < PIECES_MAX && scene->pieces[i].bytes; i++) {
		(void)!write(fd, scene->pieces[i].bytes, scene->pieces[i].size);
		/* Long enough for the client to read this piece alone. */
		usleep(20 * 1000);
	}
}

static void play_filler(int fd, const struct scene *scene)
{
	char block[64 * 1024];

	memset(block, 'x', sizeof(block));
	for (size_t sent = 0; sent < scene->filler; sent += sizeof(block)) {
		if (send(fd, block, sizeof(block), MSG_NOSIGNAL) < 0)
			return;
	}
}

/* The server's life. Its exit status is 0 if the calls were those expected. */
static int play(int listener, const struct scene *scene)
{
	char call[4096];
	int fd = accept(listener, NULL, NULL);

	for (int i = 0; i < scene->calls; i++) {
		if (!read_call(fd, call, sizeof(call)))
			return 2;
		if (scene->expected && strcmp(call, scene->expected) != 0) {
			fprintf(stderr, "the call was %s\n", call);
			return 3;
		}
		play_pieces(fd, scene);
		play_filler(fd, scene);
	}
	close(fd);
	return 0;
}

static struct inko_control *open_stage(struct stage *stage, const struct scene *scene)
{
	stage->server = fork();
	assert_true(stage->server >= 0);
	if (stage->server == 0)
		_exit(play(stage->listener, scene));
	assert_int_equal(inko_control_connect(stage->directory, &stage->control), 0);
	return stage->control;
}

/* One call of GetStatus that must end with expected and leave the outputs alone. */
static void assert_fails(struct inko_control *control, int expected)
{
	char unset[] = "";
	char *error = unset, *parameters = unset;

	assert_int_equal(
		inko_control_call(control, "GetStatus", NULL, &error, &parameters), expected);
	assert_ptr_equal(error, unset);
	assert_ptr_equal(parameters, unset);
}

static void assert_answers(struct inko_control *control, const char *expected)
{
	char *error = NULL, *parameters = NULL;

	assert_int_equal(inko_control_call(control, "GetStatus", NULL, &error, &parameters), 0);
	assert_null(error);
	assert_string_equal(parameters, expected);
	free(parameters);
}

static void test_answer(void **state)
{
	static const struct scene scene = {
		.expected = "{\"method\":\"io.inkod.Supervisor.GetStatus\"}",
		.pieces = {PIECE("{\"parameters\":{\"version\":\"1\"}}\0")},
		.calls = 2,
	};
	struct inko_control *control = open_stage(*state, &scene);

	assert_answers(control, "{\"version\":\"1\"}");
	assert_answers(control, "{\"version\":\"1\"}");
}

static void test_parameters_and_full_name(void **state)
{
	static const struct scene scene = {
		.expected =
			"{\"method\":\"org.varlink.service.GetInfo\",\"parameters\":{\"a\":[1]}}",
		.pieces = {PIECE("{}\0")},
		.calls = 1,
	};
	struct inko_control *control = open_stage(*state, &scene);
	char *error = NULL, *parameters = NULL;

	assert_int_equal(inko_control_call(control, "org.varlink.service.GetInfo", "{ \"a\": [1] }",
				 &error, &parameters),
		0);
	assert_null(error);
	assert_string_equal(parameters, "{}");
	free(parameters);
}

/* Whole numbers of 16 digits, which cJSON would shorten to 1.79e+15 and 4.5035996273705e+15. */
static void test_numbers_keep_their_digits(void **state)
{
	static const struct scene scene = {
		.expected = "{\"method\":\"io.inkod.Supervisor.Monitor\",\"parameters\":"
			    "{\"after\":4503599627370500,\"b\":1790000000000000},\"more\":true}",
		.pieces = {PIECE(
			"{\"parameters\":{\"t\":1790000000000000,\"u\":4503599627370500}}\0")},
		.calls = 1,
	};
	struct inko_control *control = open_stage(*state, &scene);
	char *error = NULL, *parameters = NULL;

	assert_int_equal(inko_control_call_more(control, "Monitor",
				 "{\"after\":4503599627370500,\n\"b\": 1790000000000000}"),
		0);
	assert_int_equal(inko_control_next(control, &error, &parameters), 0);
	assert_null(error);
	assert_string_equal(parameters, "{\"t\":1790000000000000,\"u\":4503599627370500}");
	free(parameters);
}

static void test_split_frame(void **state)
{
	static const struct scene scene = {
		.pieces = {PIECE("{\"para"), PIECE("meters\":{\"a\":\"\xc3"), PIECE("\xa4\"}}"),
			PIECE("\0")},
		.calls = 1,
	};

	assert_answers(open_stage(*state, &scene), "{\"a\":\"\xc3\xa4\"}");
}

static void test_error(void **state)
{
	static const struct scene scene = {
		.pieces = {PIECE("{\"error\":\"io.inkod.Supervisor.NoSuchActor\",\"parameters\":"
				 "{\"actor\":\"web\"}}\0")},
		.calls = 2,
	};
	struct inko_control *control = open_stage(*state, &scene);

	/* A refusal leaves the connection usable. */
	for (int i = 0; i < 2; i++) {
		char *error = NULL, *parameters = NULL;

		assert_int_equal(inko_control_call(control, "Stop", "{\"actor\":\"web\"}", &error,
					 &parameters),
			-EREMOTEIO);
		assert_string_equal(error, "io.inkod.Supervisor.NoSuchActor");
		assert_string_equal(parameters, "{\"actor\":\"web\"}");
		free(error);
		free(parameters);
	}
}

static void test_error_without_parameters(void **state)
{
	static const struct scene scene = {
		.pieces = {PIECE("{\"error\":\"org.varlink.service.PermissionDenied\"}\0")},
		.calls = 1,
	};
	char *error = NULL, *parameters = NULL;

	assert_int_equal(inko_control_call(open_stage(*state, &scene), "GetStatus", NULL, &error,
				 &parameters),
		-EREMOTEIO);
	assert_string_equal(error, "org.varlink.service.PermissionDenied");
	assert_string_equal(parameters, "{}");
	free(error);
	free(parameters);
}

/* Anything that is no answer ends the connection. */
static void assert_garbage(struct stage *stage, const struct scene *scene)
{
	struct inko_control *control = open_stage(stage, scene);

	assert_fails(control, -EBADMSG);
	assert_fails(control, -ENOTCONN);
}

#define GARBAGE_TEST(name, bytes)                                                                  \
	static void name(void **state)                                                             \
	{                                                                                          \
		static const struct scene scene = {.pieces = {PIECE(bytes)}, .calls = 1};          \
                                                                                                   \
		assert_garbage(*state, &scene);                                                    \
	}

GARBAGE_TEST(test_garbage, "HTTP/1.1 400 Bad Request\r\n\r\n\0")
GARBAGE_TEST(test_empty_frame, "\0")
GARBAGE_TEST(test_no_object, "[1]\0")
GARBAGE_TEST(test_parameters_no_object, "{\"parameters\":7}\0")
GARBAGE_TEST(test_unknown_member, "{\"parameters\":{},\"extra\":1}\0")
GARBAGE_TEST(test_continues, "{\"parameters\":{},\"continues\":true}\0")

static void test_two_frames_in_one_read(void **state)
{
	static const struct scene scene = {
		.pieces = {PIECE("{\"parameters\":{\"a\":1}}\0{\"parameters\":{\"a\":2}}\0")},
		.calls = 1,
	};
	struct inko_control *control = open_stage(*state, &scene);

	/* The first is the answer; the second answers nothing and must not be taken for the
	 * answer to a later call. */
	assert_answers(control, "{\"a\":1}");
	assert_fails(control, -EBADMSG);
	assert_fails(control, -ENOTCONN);
}

static void test_overlong_frame(void **state)
{
	static const struct scene scene = {
		.pieces = {PIECE("{\"parameters\":{\"a\":\"")},
		.filler = 5 << 20,
		.calls = 1,
	};

	assert_garbage(*state, &scene);
}

static void test_server_ends_before_answer(void **state)
{
	static const struct scene scene = {.calls = 1};
	struct inko_control *control = open_stage(*state, &scene);

	assert_fails(control, -ECONNRESET);
	assert_fails(control, -ENOTCONN);
}

static void test_server_ends_within_answer(void **state)
{
	static const struct scene scene = {.pieces = {PIECE("{\"parameters\":{}}")}, .calls = 1};

	assert_fails(open_stage(*state, &scene), -ECONNRESET);
}

static void test_server_ends_before_call(void **state)
{
	static const struct scene scene = {.calls = 0};
	struct inko_control *control = open_stage(*state, &scene);
	struct stage *stage = *state;

	assert_int_equal(waitpid(stage->server, NULL, 0), stage->server);
	stage->server = 0;
	assert_fails(control, -ECONNRESET);
}

static void test_call_that_is_not_sent(void **state)
{
	static const struct scene scene = {.pieces = {PIECE("{}\0")}, .calls = 1};
	struct inko_control *control = open_stage(*state, &scene);
	char *error = NULL, *parameters = NULL;
	char *large = malloc((1 << 20) + 1);

	assert_non_null(large);
	memset(large, ' ', 1 << 20);
	large[1 << 20] = '\0';
	memcpy(large, "{\"a\":\"", 6);
	memcpy(large + (1 << 20) - 2, "\"}", 2);

	assert_int_equal(
		inko_control_call(control, "Send", "{\"a\":", &error, &parameters), -EBADMSG);
	assert_int_equal(inko_control_call(control, "Send", "[]", &error, &parameters), -EBADMSG);
	assert_int_equal(inko_control_call(control, "Send", large, &error, &parameters), -EMSGSIZE);
	/* Nothing of these went out: the connection is as it was. */
	assert_answers(control, "{}");
	free(large);
}

static void test_nobody_there(void **state)
{
	struct inko_control *control = NULL;
	struct stage *stage = *state;

	assert_int_equal(inko_control_connect("/tmp/test-control-missing", &control), -ENOENT);
	close(stage->listener);
	stage->listener = -1;
	assert_int_equal(inko_control_connect(stage->directory, &control), -ECONNREFUSED);
	assert_null(control);
	assert_null(inko_control_close(NULL));
}

static int connect_in_a_task(struct inko_mailbox *mailbox, void *argument)
{
	struct stage *stage = argument;

	(void)mailbox;
	return inko_control_connect(stage->directory, &stage->control);
}

/* Clients that nobody has accepted, as many as there is room for. */
static void fill_backlog(const struct stage *stage, int fds[BACKLOG_MAX])
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int n = 0, r;

	strcpy(address.sun_path, stage->path);
	assert_int_equal(listen(stage->listener, 0), 0);
	do {
		assert_true(n < BACKLOG_MAX);
		fds[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		r = connect(fds[n++], (struct sockaddr *)&address, sizeof(address));
	} while (r == 0);
	assert_int_equal(errno, EAGAIN);
	while (n < BACKLOG_MAX)
		fds[n++] = -1;
}

/* A server that is busy is waited for, by little work. */
static void connects_to_full_backlog(struct stage *stage, bool in_task)
{
	uint64_t cpu_begin = sockets_cpu_usec();
	int fds[BACKLOG_MAX];

	fill_backlog(stage, fds);
	if (fork() == 0) {
		usleep(PATIENCE_USEC);
		_exit(accept(stage->listener, NULL, NULL) < 0);
	}
	assert_int_equal(
		in_task ? in_a_task(connect_in_a_task, stage) : connect_in_a_task(NULL, stage), 0);
	assert_true(sockets_cpu_usec() - cpu_begin < PATIENCE_USEC / 2);
	sockets_reap();
	for (int i = 0; i < BACKLOG_MAX; i++)
		close(fds[i]);
}

static void test_full_backlog(void **state)
{
	connects_to_full_backlog(*state, false);
}

static void test_full_backlog_in_a_task(void **state)
{
	connects_to_full_backlog(*state, true);
}

static void assert_next(struct inko_control *control, int result, const char *expected)
{
	char *error = NULL, *parameters = NULL;

	assert_int_equal(inko_control_next(control, &error, &parameters), result);
	assert_null(error);
	assert_string_equal(parameters, expected);
	free(parameters);
}

/* Two in one piece, one in two, and the last; then the connection is as good as before. */
static void test_stream(void **state)
{
	static const struct scene scene = {
		.expected =
			"{\"method\":\"io.inkod.Supervisor.Monitor\",\"parameters\":{\"after\":1},"
			"\"more\":true}",
		.pieces = {PIECE("{\"parameters\":{\"a\":1},\"continues\":true}\0"
				 "{\"parameters\":{\"a\":2},\"continues\":true}\0{\"parame"),
			PIECE("ters\":{\"a\":3},\"continues\":true}\0"),
			PIECE("{\"parameters\":{\"a\":4}}\0")},
		.calls = 2,
	};
	struct inko_control *control = open_stage(*state, &scene);
	char *error = NULL, *parameters = NULL;

	assert_int_equal(inko_control_next(control, &error, &parameters), -ENODATA);
	for (int i = 0; i < scene.calls; i++) {
		assert_int_equal(inko_control_call_more(control, "Monitor", "{\"after\":1}"), 0);
		assert_fails(control, -EBUSY);
		assert_next(control, 1, "{\"a\":1}");
		assert_next(control, 1, "{\"a\":2}");
		assert_next(control, 1, "{\"a\":3}");
		assert_next(control, 0, "{\"a\":4}");
		assert_int_equal(inko_control_next(control, &error, &parameters), -ENODATA);
	}
}

static void test_stream_that_is_refused(void **state)
{
	static const struct scene scene = {
		.pieces = {PIECE("{\"error\":\"a.B\"}\0")},
		.calls = 1,
	};
	struct inko_control *control = open_stage(*state, &scene);
	char *error = NULL, *parameters = NULL;

	assert_int_equal(inko_control_call_more(control, "Monitor", NULL), 0);
	assert_int_equal(inko_control_next(control, &error, &parameters), -EREMOTEIO);
	assert_string_equal(error, "a.B");
	free(error);
	free(parameters);
	assert_int_equal(inko_control_next(control, &error, &parameters), -ENODATA);
}

static void test_server_ends_within_stream(void **state)
{
	static const struct scene scene = {
		.pieces = {PIECE("{\"continues\":true}\0")},
		.calls = 1,
	};
	struct inko_control *control = open_stage(*state, &scene);
	char *error = NULL, *parameters = NULL;

	assert_int_equal(inko_control_call_more(control, "Monitor", NULL), 0);
	assert_next(control, 1, "{}");
	assert_int_equal(inko_control_next(control, &error, &parameters), -ECONNRESET);
	assert_int_equal(inko_control_next(control, &error, &parameters), -ENOTCONN);
	assert_fails(control, -ENOTCONN);
}

static void test_directory(void **state)
{
	char *directory = NULL;

	(void)state;
	assert_int_equal(setenv("INKO_RUNTIME_DIR", "/tmp/from-environment", 1), 0);
	assert_int_equal(inko_control_directory(NULL, &directory), 0);
	assert_string_equal(directory, "/tmp/from-environment");
	free(directory);
	assert_int_equal(inko_control_directory("/tmp/from-option", &directory), 0);
	assert_string_equal(directory, "/tmp/from-option");
	free(directory);
	assert_int_equal(unsetenv("INKO_RUNTIME_DIR"), 0);
}

/* One end of a pair for the client, and the other answers once. */
static void test_adopted_socket(void **state)
{
	static const char answer[] = "{\"parameters\":{\"a\":1}}";
	char *error = NULL, *parameters = NULL;
	struct inko_control *control;
	char call[256] = "";
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(inko_control_adopt(&ends[0], &control), 0);
	assert_int_equal(ends[0], -1);
	assert_int_equal(write(ends[1], answer, sizeof(answer)), sizeof(answer));
	assert_int_equal(inko_control_call(control, "a.B", NULL, &error, &parameters), 0);
	assert_string_equal(parameters, "{\"a\":1}");
	assert_true(read(ends[1], call, sizeof(call) - 1) > 0);
	assert_string_equal(call, "{\"method\":\"a.B\"}");
	free(parameters);
	ends[0] = inko_control_release(control);
	assert_true(ends[0] >= 0);
	assert_int_equal(write(ends[0], "raw", 3), 3);
	assert_int_equal(read(ends[1], call, sizeof(call)), 3);
	close(ends[0]);
	close(ends[1]);
}

static void test_adopts_no_others(void **state)
{
	struct inko_control *control = NULL;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(inko_control_adopt(&ends[0], &control), -ENOTSOCK);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	assert_int_equal(inko_control_adopt(&ends[0], &control), -EPROTOTYPE);
	assert_true(ends[0] >= 0);
	close(ends[0]);
	close(ends[1]);
	/* The other side has gone: an error in the connection, which is then given to nobody. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	close(ends[1]);
	assert_int_equal(inko_control_adopt(&ends[0], &control), 0);
	assert_fails(control, -ECONNRESET);
	assert_int_equal(inko_control_release(control), -ENOTCONN);
}

#define STAGE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* The options up to the first number that there is none of. */
static void test_spawn_options(void **state)
{
	struct inko_spawn_option option, queue = {0};
	unsigned int n = 0;

	(void)state;
	while (inko_spawn_option_get(n, &option) == 0) {
		assert_non_null(option.member);
		assert_memory_equal(option.flag, "--", 2);
		assert_non_null(option.help);
		assert_int_equal(option.kind == INKO_OPTION_RATE, option.initial_usec > 0);
		if (strcmp(option.member, "queue") == 0)
			queue = option;
		n++;
	}
	assert_true(n > 20);
	assert_string_equal(queue.flag, "--queue");
	assert_int_equal(queue.kind, INKO_OPTION_NUMBER);
	assert_true(queue.initial > 0);
	assert_int_equal(inko_spawn_option_get(n + 1, &option), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGE_TEST(test_answer),
		STAGE_TEST(test_parameters_and_full_name),
		STAGE_TEST(test_numbers_keep_their_digits),
		STAGE_TEST(test_split_frame),
		STAGE_TEST(test_error),
		STAGE_TEST(test_error_without_parameters),
		STAGE_TEST(test_garbage),
		STAGE_TEST(test_empty_frame),
		STAGE_TEST(test_no_object),
		STAGE_TEST(test_parameters_no_object),
		STAGE_TEST(test_unknown_member),
		STAGE_TEST(test_continues),
		STAGE_TEST(test_two_frames_in_one_read),
		STAGE_TEST(test_overlong_frame),
		STAGE_TEST(test_server_ends_before_answer),
		STAGE_TEST(test_server_ends_within_answer),
		STAGE_TEST(test_server_ends_before_call),
		STAGE_TEST(test_call_that_is_not_sent),
		STAGE_TEST(test_nobody_there),
		STAGE_TEST(test_full_backlog),
		STAGE_TEST(test_full_backlog_in_a_task),
		STAGE_TEST(test_stream),
		STAGE_TEST(test_stream_that_is_refused),
		STAGE_TEST(test_server_ends_within_stream),
		cmocka_unit_test(test_directory),
		cmocka_unit_test(test_spawn_options),
		cmocka_unit_test(test_adopted_socket),
		cmocka_unit_test(test_adopts_no_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
