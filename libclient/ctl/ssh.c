/*
 * inkoctl on another host. ssh asks for passwords, checks host keys and reads its configuration by
 * itself, and says on standard error what went wrong, so that there is nothing to add.
 */

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "errors.h"
#include "ssh.h"

/* ssh ends by itself soon after its input, unless its network is gone. */
#define END_USEC 1000000
#define PAUSE_USEC 5000

/* As one word for the shell that ssh has run the command by. */
static void print_quoted(FILE *command, const char *word)
{
	fputc('\'', command);
	for (; *word; word++) {
		if (*word == '\'')
			fputs("'\\''", command);
		else
			fputc(*word, command);
	}
	fputc('\'', command);
}

/* malloc'd; NULL without memory. */
static char *format_command(const char *runtime_directory, const char *const *words)
{
	char *text = NULL;
	size_t size;
	FILE *command = open_memstream(&text, &size);

	if (!command)
		return NULL;
	fputs("inkoctl", command);
	if (runtime_directory) {
		fputs(" --runtime-dir ", command);
		print_quoted(command, runtime_directory);
	}
	for (; *words; words++) {
		fputc(' ', command);
		print_quoted(command, *words);
	}
	if (fclose(command) == 0)
		return text;
	free(text);
	return NULL;
}

static int spawn(const char *const *words, int end, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t ignored;
	int r;

	/* It is ignored here, which ssh is not to inherit. */
	(void)sigemptyset(&ignored);
	(void)sigaddset(&ignored, SIGPIPE);
	r = posix_spawn_file_actions_init(&actions);
	if (r != 0)
		return -r;
	r = posix_spawnattr_init(&attributes);
	if (r == 0) {
		r = posix_spawn_file_actions_adddup2(&actions, end, STDIN_FILENO)
			    ?: posix_spawn_file_actions_adddup2(&actions, end, STDOUT_FILENO)
			    ?: posix_spawnattr_setsigdefault(&attributes, &ignored)
			    ?: posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF)
			    ?: posix_spawnp(ret_pid, words[0], &actions, &attributes,
				       (char *const *)words, environ);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

int ssh_start(const char *host, const char *runtime_directory, const char *const *words,
	int *ret_fd, pid_t *ret_pid)
{
	const char *program = getenv("INKO_SSH");
	char *command = format_command(runtime_directory, words);
	/* Without X11 and without a terminal there. */
	const char *const line[] = {
		program && *program ? program : "ssh", "-xT", "--", host, command, NULL};
	int ends[2];
	int r;

	if (!command)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
		free(command);
		return -errno;
	}
	r = spawn(line, ends[1], ret_pid);
	close(ends[1]);
	free(command);
	if (r < 0)
		close(ends[0]);
	else
		*ret_fd = ends[0];
	return r;
}

static bool has_ended(pid_t pid, int *ret_status)
{
	pid_t r = waitpid(pid, ret_status, WNOHANG);

	return r != 0 && !(r < 0 && errno == EINTR);
}

int ssh_end(pid_t pid)
{
	int status = 0;

	for (int waited = 0; !has_ended(pid, &status); waited += PAUSE_USEC) {
		if (waited == END_USEC)
			(void)kill(pid, SIGTERM);
		(void)usleep(PAUSE_USEC);
	}
	if (!WIFEXITED(status))
		return STATUS_NO_DAEMON;
	if (WEXITSTATUS(status) <= STATUS_NO_DAEMON)
		return WEXITSTATUS(status);
	return STATUS_NO_DAEMON;
}
