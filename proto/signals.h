#pragma once

/*
 * What a new program is to find of signals.
 */

/* Gives every signal its default disposition and blocks none: both outlive execve(2). For a child
 * that is about to execute. */
void signals_reset(void);
