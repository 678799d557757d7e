/*
 * inkod, the keeper: holds what the supervisor gives it to hold, starts the supervisor again
 * when it ends, and reaps what nobody else is the parent of. It decides nothing about
 * actors, so that it has little to fail at: everything that lives longer than a supervisor leans
 * on it. Here is its start.
 */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/keeper/carry.h"
#include "daemon/keeper/directory.h"
#include "daemon/keeper/inherit.h"
#include "daemon/keeper/keeper.h"
#include "daemon/keeper/launch.h"
#include "daemon/keeper/log.h"
#include "daemon/keeper/signal-mask.h"
#include "daemon/keeper/takeover.h"
#include "proto/descriptor.h"

/* Descriptors that the keeper needs besides those that it holds, and those that a message brings
 * before it is refused. */
#define OWN_DESCRIPTORS 32

/* The soft limit that the keeper was started with, which actors get back. */
#define ENVIRONMENT_NOFILE "INKO_NOFILE"

/* The file that the service begins with, for supervisors. */
#define ENVIRONMENT_CONFIGURATION "INKO_CONFIG"

/* 0, 1 and 2 are there, and what was given to be kept, and nothing else: what the shell left open
 * is not inkod's to keep. */
static int tidy_descriptors(const struct inherited *inherited)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return -errno;
	return close_range(STDERR_FILENO + 1 + (unsigned int)inherited->n, ~0U, 0) < 0 ? -errno : 0;
}

/* Holding takes descriptors, and so does passing them: ETOOMANYREFS counts against the same. */
static int raise_limit(rlim_t *ret_limit)
{
	struct rlimit limit;
	char original[3 * sizeof(limit.rlim_cur)];

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	/* Under a supervisor of an earlier keeper it was raised already, and the variable is true.
	 */
	if (limit.rlim_cur == limit.rlim_max && getenv(ENVIRONMENT_NOFILE)) {
		*ret_limit = limit.rlim_cur;
		return 0;
	}
	(void)snprintf(original, sizeof(original), "%llu", (unsigned long long)limit.rlim_cur);
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	*ret_limit = limit.rlim_cur;
	return setenv(ENVIRONMENT_NOFILE, original, 1) < 0 ? -errno : 0;
}

static int set_environment(const struct directory *directory)
{
	char pid[3 * sizeof(pid_t)];

	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	if (setenv("INKO_RUNTIME_DIR", directory->path, 1) < 0 ||
		setenv("INKO_KEEPER_PID", pid, 1) < 0)
		return -errno;
	return 0;
}

static int prepare(const struct directory *directory, rlim_t *ret_limit)
{
	int r = raise_limit(ret_limit);

	if (r == 0 && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		r = -errno;
	if (r == 0)
		r = set_environment(directory);
	if (r < 0)
		log_line("cannot start: %s", strerror(-r));
	return r;
}

/* Said now, since later it would be tried again for ever. */
static int look_for_supervisor(void)
{
	char path[PATH_MAX];
	int r = launch_find(path);

	if (r < 0)
		log_line("there is no inko-supervisor beside inkod nor in " PKGLIBEXECDIR
			 "; install inkod again");
	return r;
}

/* Runs in directory, alone: with its lock, or as the next keeper of who has it. */
static int run_in(struct directory *directory, struct keeper_start *start)
{
	rlim_t limit = 0;
	int r;

	r = directory_lock(directory);
	if (r == -EWOULDBLOCK)
		r = takeover_begin(directory, &start->link_fd);
	if (r < 0)
		return r;
	start->lock_fd = directory->lock_fd;
	r = prepare(directory, &limit);
	if (r == 0) {
		start->max_fds = limit > OWN_DESCRIPTORS ? limit - OWN_DESCRIPTORS : 0;
		r = keeper_run(start);
	}
	/* One that was not taken over to the end may live, and have the lock. */
	if (r == 0 || r == -ECANCELED || (r < 0 && start->link_fd < 0))
		directory_remove(directory);
	return r;
}

static int run(const char *runtime_option, struct keeper_start *start)
{
	struct directory directory;

	start->carried_fd = -1;
	inherit_take(&start->inherited);
	if (tidy_descriptors(&start->inherited) < 0 || launch_note_own() < 0 ||
		look_for_supervisor() < 0)
		return -EIO;
	if (directory_open(&directory, runtime_option) < 0)
		return -EIO;
	return run_in(&directory, start);
}

/* The same process was inkod before, and left itself what it held. Its limits, signal mask and
 * environment are what they were. */
static int run_on(const char *runtime_option, struct keeper_start *start)
{
	struct directory directory;
	struct rlimit limit;
	int r;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || directory_open(&directory, runtime_option) < 0)
		return -EIO;
	start->max_fds = limit.rlim_cur > OWN_DESCRIPTORS ? limit.rlim_cur - OWN_DESCRIPTORS : 0;
	r = keeper_run(start);
	if (r != -EPROTO && r != KEEPER_LEFT)
		directory_remove(&directory);
	return r;
}

static int keep(const char *runtime_option, char **argv)
{
	struct keeper_start start = {.lock_fd = -1, .link_fd = -1, .argv = argv};
	int r = -EPROTO;

	signal_mask_block();
	start.carried_fd = carry_find(&start.replaced);
	if (start.carried_fd >= 0)
		r = run_on(runtime_option, &start);
	/* What another version left is not touched but closed: the supervisor, which is on the
	 * other side of that, gives all once more. */
	if (r == -EPROTO)
		r = run(runtime_option, &start);
	return r < 0 ? EXIT_FAILURE : start.exit_status;
}

/* Said to each supervisor by the environment. A leading '-' says that FILE may be missing. */
static int set_configuration(const char *option)
{
	_cleanup_free_ char *absolute = NULL;
	bool may_be_missing = option[0] == '-';
	char here[PATH_MAX];

	option += may_be_missing;
	if (!getcwd(here, sizeof(here)))
		return -errno;
	if (asprintf(&absolute, "%s%s%s%s", may_be_missing ? "-" : "", option[0] == '/' ? "" : here,
		    option[0] == '/' ? "" : "/", option) < 0) {
		absolute = NULL;
		return -ENOMEM;
	}
	return setenv(ENVIRONMENT_CONFIGURATION, absolute, 1) < 0 ? -errno : 0;
}

static const char help[] =
	"Usage: inkod [--runtime-dir DIR] [--config FILE]\n"
	"Supervises actors and hands them connections, until SIGTERM or SIGINT.\n"
	"\n"
	"      --runtime-dir DIR  run in DIR; else INKO_RUNTIME_DIR, /run/inko for root, or\n"
	"                         $XDG_RUNTIME_DIR/inko\n"
	"      --config FILE      begin with the actors and listeners that FILE says (INKO_CONFIG);\n"
	"                         -FILE: if there is such a file\n"
	"      --help             show this text\n"
	"      --version          show the version\n"
	"\n"
	"Use inkoctl to say what to do; see inkod(8).\n";

static int print(const char *text)
{
	return write(STDOUT_FILENO, text, strlen(text)) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"runtime-dir", required_argument, NULL, 'r'},
		{"config", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'},
		{0},
	};
	const char *runtime_option = NULL;
	int option, r;

	/* To who typed it, what is wrong with it is no line of a log. */
	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (option) {
		case 'r':
			runtime_option = optarg;
			break;
		case 'c':
			r = set_configuration(optarg);
			if (r < 0) {
				log_line("cannot use %s: %s", optarg, strerror(-r));
				return EXIT_FAILURE;
			}
			break;
		case 'h':
			return print(help);
		case 'v':
			return print("inkod " PACKAGE_VERSION "\n");
		default:
			(void)dprintf(STDERR_FILENO, "inkod: see inkod --help\n");
			return EXIT_FAILURE;
		}
	}
	if (optind < argc) {
		(void)dprintf(STDERR_FILENO, "inkod: takes no argument %s; see inkod --help\n",
			argv[optind]);
		return EXIT_FAILURE;
	}
	return keep(runtime_option, argv);
}
