#pragma once

/*
 * The whole terminal, for a view that draws itself again and again, and as it was before when that
 * has ended, whatever ends it.
 */

struct screen;

enum screen_event {
	SCREEN_TIMEOUT,
	SCREEN_RESIZED,
	SCREEN_UP,
	SCREEN_DOWN,
	SCREEN_QUIT,
};

/* Runs show(screen, userdata) in a process of its own with the terminal to draw on. What show
 * returned, a status; STATUS_DONE after Ctrl-C. Other signals that end a program end this one when
 * the terminal is as it was. */
int screen_run(int (*show)(struct screen *screen, void *userdata), void *userdata);

/* In show: waits for one of the keys, but no longer than so many milliseconds. */
enum screen_event screen_wait(struct screen *screen, int wait_msec);

/* In show: draws text, of which the first line stays, and so many lines after it are passed over,
 * as far as the others do not fit. How many those were. No line may be wider than the terminal. */
unsigned int screen_draw(const struct screen *screen, const char *text, unsigned int passed);
