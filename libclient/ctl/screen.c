/*
 * The whole terminal.
 *
 * Two processes share it. One draws, and is so simple-minded about signals that any of them may end
 * it at any time, in the middle of a call that nobody answers as well. The other sets the terminal,
 * waits, and sets it back. Should that one be killed, which it cannot notice, the first does.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "errors.h"
#include "screen.h"

/* xterm(1)'s alternate screen without a cursor, where a line that is too long does not wrap. */
#define ENTER "\033[?1049h\033[?25l\033[?7l"
#define LEAVE "\033[?7h\033[?25h\033[?1049l"

#define HOME "\033[H"
#define CLEAR_LINE "\033[K"
#define CLEAR_BELOW "\033[J"

struct screen {
	struct termios before; /* of standard input */
	bool has_keys;	       /* standard input is a terminal */
	int guard;	       /* hangs up when the process is gone that sets the terminal back */
	sigset_t mask;
};

static void write_code(const char *code)
{
	/* A terminal that is gone needs none. */
	ssize_t n = write(STDOUT_FILENO, code, strlen(code));

	(void)n;
}

static void enter(const struct screen *screen)
{
	struct termios raw = screen->before;

	/* Keys one by one and unseen; Ctrl-C and Ctrl-Z are signals still. */
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	if (screen->has_keys)
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	write_code(ENTER);
}

static void leave(const struct screen *screen)
{
	write_code(LEAVE);
	if (screen->has_keys)
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &screen->before);
}

/* Without the process that does it. A shell that has noticed has set the terminal as it likes. */
static void leave_alone(const struct screen *screen)
{
	if (tcgetpgrp(STDIN_FILENO) == getpgrp())
		leave(screen);
	else
		write_code(LEAVE);
}

/* The shell takes over, with its own idea of the terminal, until it says SIGCONT. */
static void pause_until_continued(const struct screen *screen, pid_t view)
{
	leave(screen);
	(void)raise(SIGSTOP);
	enter(screen);
	(void)kill(view, SIGCONT);
	(void)kill(view, SIGWINCH);
}

static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

static bool is_ending(int number)
{
	for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++) {
		if (ending[i] == number)
			return true;
	}
	return false;
}

/* Until the view has ended: *ret_status as of waitpid(2), and the signal that asked for it, or 0.
 */
static int guard(const struct screen *screen, pid_t view, const sigset_t *signals, int *ret_status)
{
	int asked = 0;

	for (;;) {
		int number = sigwaitinfo(signals, NULL);

		if (is_ending(number)) {
			asked = number;
			(void)kill(view, SIGKILL);
		} else if (number == SIGTSTP) {
			(void)kill(view, SIGSTOP);
		}
		if (waitpid(view, ret_status, WNOHANG | WUNTRACED) != view)
			continue;
		if (!WIFSTOPPED(*ret_status))
			return asked;
		pause_until_continued(screen, view);
	}
}

static void fill_set(sigset_t *set)
{
	(void)sigemptyset(set);
	for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++)
		(void)sigaddset(set, ending[i]);
	(void)sigaddset(set, SIGCHLD);
	(void)sigaddset(set, SIGTSTP);
}

static int finish(const struct screen *screen, int asked, int status)
{
	if (asked && asked != SIGINT) {
		(void)signal(asked, SIG_DFL);
		(void)raise(asked);
		(void)sigprocmask(SIG_SETMASK, &screen->mask, NULL);
	}
	/* Ctrl-C goes to both, and the view may be the first that has it. */
	if (asked == SIGINT || (WIFSIGNALED(status) && WTERMSIG(status) == SIGINT))
		return STATUS_DONE;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	return complain(
		STATUS_REFUSED, "the view was ended by a signal: %s", strsignal(WTERMSIG(status)));
}

/* Only to wake up from waiting. */
static void on_resize(int number)
{
	(void)number;
}

static int start_view(
	struct screen *screen, int (*show)(struct screen *screen, void *userdata), void *userdata)
{
	const struct sigaction resize = {.sa_handler = on_resize};
	sigset_t blocked = screen->mask;
	int status;

	(void)sigaction(SIGWINCH, &resize, NULL);
	(void)sigaddset(&blocked, SIGWINCH);
	(void)sigprocmask(SIG_SETMASK, &blocked, NULL);
	status = show(screen, userdata);
	(void)fflush(stdout);
	return status;
}

int screen_run(int (*show)(struct screen *screen, void *userdata), void *userdata)
{
	struct screen screen = {};
	int guards[2], asked, status = 0;
	sigset_t signals;
	pid_t view;

	screen.has_keys = tcgetattr(STDIN_FILENO, &screen.before) == 0;
	if (pipe2(guards, O_CLOEXEC) < 0)
		return complain(STATUS_REFUSED, "cannot make a pipe: %s", strerror(errno));
	screen.guard = guards[0];
	fill_set(&signals);
	(void)signal(SIGCHLD, SIG_DFL);
	(void)sigprocmask(SIG_BLOCK, &signals, &screen.mask);
	(void)fflush(stdout);
	enter(&screen);
	view = fork();
	if (view == 0) {
		close(guards[1]);
		_exit(start_view(&screen, show, userdata));
	}
	asked = view < 0 ? 0 : guard(&screen, view, &signals, &status);
	leave(&screen);
	close(guards[0]);
	close(guards[1]);
	if (view < 0)
		return complain(STATUS_REFUSED, "cannot fork: %s", strerror(errno));
	status = finish(&screen, asked, status);
	(void)sigprocmask(SIG_SETMASK, &screen.mask, NULL);
	return status;
}

/* What was typed, as far as it means something. */
static enum screen_event read_key(void)
{
	static const struct {
		const char *typed;
		enum screen_event event;
	} keys[] = {
		{"q", SCREEN_QUIT},
		{"Q", SCREEN_QUIT},
		{"k", SCREEN_UP},
		{"j", SCREEN_DOWN},
		{"\033[A", SCREEN_UP},
		{"\033[B", SCREEN_DOWN},
		{"\033OA", SCREEN_UP},
		{"\033OB", SCREEN_DOWN},
	};
	char typed[16];
	ssize_t n = read(STDIN_FILENO, typed, sizeof(typed) - 1);

	if (n <= 0)
		return n < 0 && errno == EINTR ? SCREEN_TIMEOUT : SCREEN_QUIT;
	typed[n] = '\0';
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strncmp(typed, keys[i].typed, strlen(keys[i].typed)) == 0)
			return keys[i].event;
	}
	return SCREEN_TIMEOUT;
}

enum screen_event screen_wait(struct screen *screen, int wait_msec)
{
	struct pollfd waited[] = {
		{.fd = screen->guard, .events = POLLIN},
		{.fd = screen->has_keys ? STDIN_FILENO : -1, .events = POLLIN},
	};
	const struct timespec timeout = {wait_msec / 1000, wait_msec % 1000 * 1000000L};
	int r = ppoll(waited, sizeof(waited) / sizeof(waited[0]), &timeout, &screen->mask);

	if (r < 0)
		return SCREEN_RESIZED;
	if (waited[0].revents) {
		leave_alone(screen);
		return SCREEN_QUIT;
	}
	return waited[1].revents ? read_key() : SCREEN_TIMEOUT;
}

static unsigned int find_height(void)
{
	struct winsize size = {};

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : 24;
}

static unsigned int count_lines(const char *text)
{
	unsigned int n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

unsigned int screen_draw(const struct screen *screen, const char *text, unsigned int passed)
{
	unsigned int n_lines = count_lines(text), height = find_height(), line = 0;
	unsigned int too_many = n_lines > height ? n_lines - height : 0;

	(void)screen;
	passed = passed < too_many ? passed : too_many;
	fputs(HOME, stdout);
	for (unsigned int i = 0; *text && line < height; i++) {
		size_t length = strcspn(text, "\n");

		/* No line end behind the last: it would push the first out. */
		if (i == 0 || i > passed)
			printf("%s%.*s" CLEAR_LINE, line++ ? "\n" : "", (int)length, text);
		text += length + (text[length] == '\n');
	}
	fputs(CLEAR_BELOW, stdout);
	(void)fflush(stdout);
	return passed;
}
