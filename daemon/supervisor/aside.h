#pragma once

/*
 * Calls that may wait for as long as somebody else likes: a thread makes them, and the loop goes
 * on. They must touch nothing of the supervisor's but their argument.
 */

/* Calls work(argument) in a thread of its own with all signals blocked, which has a copy of done_fd
 * and closes it after that: the other end of a pipe hangs up once all that was begun with it is
 * done. -ENOMEM, -EMFILE and errors of pthread_create(3): then nothing is called. */
int aside_do(void (*work)(void *argument), void *argument, int done_fd);
