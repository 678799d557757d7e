#pragma once

/*
 * The actor's side of the contract with inkod: what systemd's services say and are told.
 */

#ifdef __cplusplus
extern "C" {
#endif

/* This instance's name ("web/0"; INKO_INSTANCE), or NULL when inkod did not start this process. */
const char *inko_actor_name(void);
/* Tells inkod that this instance can serve now (READY=1, sd_notify(3)): it joins its routes. 0 when
 * there is nobody to tell, 1 when told, or a negative errno. */
int inko_actor_ready(void);
/* Tells inkod any line of sd_notify(3), such as "STATUS=…". Returns as inko_actor_ready. */
int inko_actor_notify(const char *line);

#ifdef __cplusplus
}
#endif
