#pragma once

/*
 * The command by which an instance reads its configuration again: sh beside it, as who it is, with
 * its output, in a session of its own. It is watched until it was waited for, whatever becomes of
 * its instance.
 */

struct instance;
struct reload_command;

/* Runs it. *ret_command is the caller's until reload_on_command_ended tells how it ended, and frees
 * itself after that. -errno: ret_reason says what could not be done. */
int reload_command_start(struct instance *instance, char ret_reason[static 512],
	struct reload_command **ret_command);
/* Ends it with its process group. How it ended is told all the same. */
void reload_command_kill(struct reload_command *command);
/* The same where the instance is no more: nobody is told. NULL is allowed. Returns NULL. */
struct reload_command *reload_command_abandon(struct reload_command *command);
