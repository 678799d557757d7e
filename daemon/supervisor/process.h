#pragma once

/*
 * Starting a process: what it is given is systemd's own contract (sd_listen_fds(3), sd_notify(3)),
 * a clean environment and nothing else. It waits on a gate before it executes its program, so that
 * whoever starts it can make sure first that it will not be forgotten.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/supervisor/confinement.h"
#include "proto/spec.h"

/* sd_listen_fds(3) */
#define PROCESS_LISTEN_FDS_START 3

struct process_plan {
	const struct spec *spec;
	char *const *command;		       /* what is executed, by an absolute path */
	const struct confinement *confinement; /* of spec */
	const char *instance;		       /* INKO_INSTANCE */
	const char *runtime;		       /* INKO_RUNTIME_DIR */
	const char *notify_path;	       /* NOTIFY_SOCKET */
	int output_fd;			       /* its standard output and error */
	const int *fds;			       /* LISTEN_FDS, borrowed */
	size_t n_fds;
	size_t n_listeners;   /* of them, at the front */
	int lifeline_fd;      /* see lifeline.h; -1: none */
	int64_t mark;	      /* see leftovers.h; 0: none */
	int64_t main_pid;     /* MAINPID: of the instance that it is for; 0: it is that */
	const char *fd_names; /* LISTEN_FDNAMES */
};

/* Forks. Nothing is looked up or allocated after that. *ret_gate_fd is the gate: process_open_gate
 * lets the program be executed, closing it before ends the process. Both descriptors are the
 * caller's. -errno of socketpair, fork and pidfd_open. */
int process_fork(const struct process_plan *plan, pid_t *ret_pid, int *ret_pidfd, int *ret_gate_fd);
/* Lets the program be executed, once. The gate stays open, and the caller's, for
 * process_read_failure. -EPIPE when the process has ended already, and other errors of send(2). */
int process_open_gate(int gate_fd);

/* What a process could not do before its program. */
struct process_failure {
	int error; /* errno */
	enum { PROCESS_PREPARE, PROCESS_CONFINE, PROCESS_ENTER, PROCESS_EXECUTE } step;
	enum confinement_step confinement; /* of PROCESS_CONFINE */
};

/* Once the process has ended: 1 when it failed before its program ran, else 0 (so for a gate_fd of
 * -1, which is one that was closed since). */
int process_read_failure(int gate_fd, struct process_failure *ret_failure);

/* The same for a person: "could not execute /bin/x: Permission denied". */
void process_describe_failure(
	const struct process_failure *failure, const struct spec *spec, char ret_text[static 512]);

/* The path of one of inkod's own programs, the caller's: beside this one, or where it was
 * installed. -ENOENT, -ENOMEM. */
int process_find_own(const char *program, char **ret_path);
