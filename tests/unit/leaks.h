#pragma once

/*
 * Every case counts the open descriptors before and after, and leaves no child behind.
 */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <sys/wait.h>

static inline uintptr_t leaks_count_fds(void)
{
	DIR *directory = opendir("/proc/self/fd");
	uintptr_t n = 0;

	assert_non_null(directory);
	while (readdir(directory))
		n++;
	closedir(directory);
	return n;
}

static inline int leaks_setup(void **state)
{
	*state = (void *)leaks_count_fds();
	return 0;
}

static inline int leaks_teardown(void **state)
{
	assert_int_equal(leaks_count_fds(), (uintptr_t)*state);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	return 0;
}

#define leaks_test(function) cmocka_unit_test_setup_teardown(function, leaks_setup, leaks_teardown)
