#pragma once

/*
 * What the supervisor keeps in the runtime directory.
 */

#include <stdbool.h>
#include <sys/types.h>

/* Where the gateway listens. */
#define FILES_ENDPOINTS "nng"

/* Makes the directories. Where nothing was held a former inkod died with all that it had: the
 * sockets it left are removed, and its logs stay to be read. Errors of runtime_path and mkdir. */
int files_prepare(const char *runtime, bool is_cold_start);
/* Makes one of them theirs. */
void files_give(const char *runtime, const char *name, uid_t uid, gid_t gid);
/* Removes everything: the service has ended. */
void files_remove(const char *runtime, bool with_control);
