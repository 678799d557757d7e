#pragma once

/*
 * The control client: calls to inkod, over Varlink (https://varlink.org), in JSON.
 */

#include <stdint.h>

#include <inko/actor.h>

#ifdef __cplusplus
extern "C" {
#endif

struct inko_control;

/* The directory that inko_control_connect looks in; malloc'd and the caller's. -ENXIO when
 * nothing says which. */
int inko_control_directory(const char *runtime_directory, char **ret_directory);
/* Connects to the inkod of runtime_directory; NULL is INKO_RUNTIME_DIR, else /run/inko for root,
 * else $XDG_RUNTIME_DIR/inko. -ENOENT or -ECONNREFUSED when no inkod runs there. */
int inko_control_connect(const char *runtime_directory, struct inko_control **ret_control);
/* Makes a control client of a stream socket that leads to an inkod in another way, such as the
 * standard input and output of 'inkoctl bridge' on another host. *take_fd is taken on success and
 * set to -1. -ENOTSOCK, -EPROTOTYPE when the kernel says that it is none. */
int inko_control_adopt(int *take_fd, struct inko_control **ret_control);
/* Gives the connection up to the caller and frees take_control. -ENOTCONN when there was an error
 * in it, and it is of no use. */
int inko_control_release(struct inko_control *take_control);
/* How long each of the following calls may wait for inkod; 0, the default: for ever. A call that
 * waited so long is -ETIMEDOUT, and the connection is of no more use. */
int inko_control_set_timeout(struct inko_control *control, uint64_t timeout_usec);
/* Closes the connection. NULL is allowed. Returns NULL. */
struct inko_control *inko_control_close(struct inko_control *control);

/* Calls method ("Spawn", of io.inkod.Supervisor; one with a dot is a full name) with parameters (an
 * object as JSON text, or NULL) and waits for the answer. 0: *ret_parameters is the reply's
 * object as JSON text, as inkod wrote it. -EREMOTEIO: inkod refused; *ret_error is the error's name
 * and *ret_parameters its object. Both are malloc'd and the caller's. -EBADMSG: what was sent or
 * came was no JSON object. -EMSGSIZE: the call is longer than the 1 MiB that inkod takes.
 * -ECONNRESET: inkod went away before it answered. After an error in what came, calls are
 * -ENOTCONN. */
int inko_control_call(struct inko_control *control, const char *method, const char *parameters,
	char **ret_error, char **ret_parameters);

/* Calls method, which answers more than once ("Monitor"): inko_control_next gets each reply. 0, or
 * errors of inko_control_call but -EREMOTEIO. Other calls on this connection are -EBUSY until the
 * last reply has come; who wants none of them closes it. */
int inko_control_call_more(
	struct inko_control *control, const char *method, const char *parameters);
/* Waits for the next reply: 1, or 0 when it is the last; *ret_parameters and errors are as in
 * inko_control_call. -EINTR when a signal came first: call it again. -ENODATA when no call is
 * open. */
int inko_control_next(struct inko_control *control, char **ret_error, char **ret_parameters);

/* How the value of an option is written for a person. */
enum inko_option_kind {
	INKO_OPTION_TEXT,
	INKO_OPTION_TEXTS,    /* one a flag, which may be repeated; an array of strings */
	INKO_OPTION_VARIABLE, /* the same, K=V */
	INKO_OPTION_PATH,     /* a string: an absolute path */
	INKO_OPTION_CHOICE,   /* one of those that stand between '|' in value; in JSON on-failure is
				 the string onFailure */
	INKO_OPTION_NUMBER,   /* an integer */
	INKO_OPTION_TIME,     /* microseconds, an integer */
	INKO_OPTION_RATE,   /* N/TIME or off: an integer, 0 for off, and microseconds in the member
			       of the same name with USec behind it */
	INKO_OPTION_YES_NO, /* a boolean */
};

/* What may be said of an actor when it is spawned, as inkod itself checks it. */
struct inko_spawn_option {
	const char *member; /* of Spawn's parameters */
	const char *flag;   /* of inkoctl spawn, such as --queue */
	const char *value;  /* what its value is called */
	const char *help;   /* one line */
	const char *needs;  /* the capability that inkod must have for it, or NULL */
	enum inko_option_kind kind;
	const char *initial_text; /* what counts without it, of strings; or NULL */
	int64_t initial;      /* the same, of integers and booleans; -1: it follows from others */
	int64_t initial_usec; /* of a rate */
};

/* The option of that number, from 0 on; its strings are static. -ENOENT when there is none. */
int inko_spawn_option_get(unsigned int index, struct inko_spawn_option *ret_option);

#ifdef __cplusplus
}
#endif
