#pragma once

/*
 * What is said of an inkod that was reached and does not answer.
 */

/* Prints that, why as far as it can be seen, and what to do. Returns STATUS_NO_DAEMON. */
int silence_complain(const char *runtime_directory);
