#pragma once

/*
 * What valgrind and the address sanitizer must be told of stacks, which they would otherwise take
 * for one stack that was overrun. Nothing where the program is built or run without them.
 */

#include <stddef.h>

#ifdef HAVE_VALGRIND
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(start, end) 0u
#define VALGRIND_STACK_DEREGISTER(id) (void)(id)
#endif

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define INSTRUMENT_ADDRESS 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define INSTRUMENT_ADDRESS 1
#endif

#ifdef INSTRUMENT_ADDRESS
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#else
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define __sanitizer_start_switch_fiber(save, bottom, size)                                         \
	((void)(save), (void)(bottom), (void)(size))
#define __sanitizer_finish_switch_fiber(saved, bottom, size)                                       \
	((void)(saved), (void)(bottom), (void)(size))
#endif

/* A stack from bottom, its lowest address: a number for instrument_forget_stack. */
static inline unsigned int instrument_name_stack(void *bottom, size_t size)
{
	(void)bottom, (void)size;
	return VALGRIND_STACK_REGISTER(bottom, (char *)bottom + size);
}

static inline void instrument_forget_stack(unsigned int id)
{
	(void)id;
	VALGRIND_STACK_DEREGISTER(id);
}

/* The frames that were on the stack are no more, whether they returned or not. */
static inline void instrument_clear_stack(void *bottom, size_t size)
{
	ASAN_UNPOISON_MEMORY_REGION(bottom, size);
}

/* Around a switch: begin before it, with the stack to come and where to save (NULL: the stack
 * that is left ends here); end after it, on the stack that came, with what was saved for it. */
static inline void instrument_begin_switch(void **save, const void *bottom, size_t size)
{
	__sanitizer_start_switch_fiber(save, bottom, size);
}

static inline void instrument_end_switch(void *saved, const void **ret_bottom, size_t *ret_size)
{
	__sanitizer_finish_switch_fiber(saved, ret_bottom, ret_size);
}
