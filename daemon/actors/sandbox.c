#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "sandbox.h"

#if defined(__x86_64__) && defined(__LP64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#define ARCHITECTURE 0
#endif

/* A sanitizer makes calls of its own, other ones in each version. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED true
#else
#define IS_SANITIZED false
#endif

/* An argument's lower half, on machines that write it first: both of those above. */
#define ARGUMENT(n) (offsetof(struct seccomp_data, args) + (n) * sizeof(uint64_t))

/* What it does for its living, then what libc does for it: memory, locks, time, ending. Calls that
 * take a descriptor do no harm beyond those that it was given. */
static const uint32_t allowed[] = {
	__NR_accept4, __NR_close, __NR_epoll_create1, __NR_epoll_ctl, __NR_epoll_pwait, __NR_fcntl,
	__NR_fstat, __NR_getsockopt, __NR_ioctl, /* how much of a lane is not read yet */
	__NR_read, __NR_recvfrom, __NR_recvmsg, __NR_sendmsg, __NR_sendto, __NR_setsockopt,
	__NR_shutdown, __NR_timerfd_settime, __NR_write, __NR_writev, __NR_ppoll, __NR_brk,
	__NR_madvise, __NR_mremap, __NR_munmap, __NR_futex, __NR_clock_gettime,
	__NR_clock_nanosleep, __NR_getrandom, __NR_restart_syscall, __NR_rt_sigaction,
	__NR_rt_sigprocmask, __NR_rt_sigreturn, __NR_getpid, __NR_gettid,
	__NR_tgkill, /* abort(3) */
	__NR_exit, __NR_exit_group,
#ifdef __NR_poll
	__NR_poll, __NR_epoll_wait,
#endif
#ifdef __NR_newfstatat
	__NR_newfstatat, /* fstat(3), of a descriptor */
#endif
};

struct program {
	struct sock_filter code[BPF_MAXINSNS];
	unsigned short n;
};

static void add(struct program *program, struct sock_filter instruction)
{
	if (program->n == BPF_MAXINSNS)
		abort();
	program->code[program->n++] = instruction;
}

static void load(struct program *program, size_t offset)
{
	add(program, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void answer(struct program *program, uint32_t action)
{
	add(program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

/* Goes on behind the next skipped instructions unless what was loaded is value. */
static void unless_equal(struct program *program, uint32_t value, uint8_t skipped)
{
	add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skipped));
}

/* The same if it has one of these bits. */
static void unless_clear(struct program *program, uint32_t bits, uint8_t skipped)
{
	add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, skipped, 0));
}

static void load_number(struct program *program)
{
	load(program, offsetof(struct seccomp_data, nr));
}

/* To measure what a message costs, a pair that nobody else can reach. */
static void allow_pairs(struct program *program)
{
	unless_equal(program, __NR_socketpair, 4);
	load(program, ARGUMENT(0));
	unless_equal(program, AF_UNIX, 1);
	answer(program, SECCOMP_RET_ALLOW);
	load_number(program);
}

/* Memory, but none to be executed. */
static void allow_memory(struct program *program, uint32_t number)
{
	unless_equal(program, number, 4);
	load(program, ARGUMENT(2));
	unless_clear(program, PROT_EXEC, 1);
	answer(program, SECCOMP_RET_ALLOW);
	load_number(program);
}

/* To look at a limit, which libinko does to see whether there is room for a descriptor. To set one
 * takes an address. */
static void allow_limits(struct program *program)
{
	unless_equal(program, __NR_prlimit64, 6);
	load(program, ARGUMENT(2));
	unless_equal(program, 0, 3);
	load(program, ARGUMENT(2) + sizeof(uint32_t));
	unless_equal(program, 0, 1);
	answer(program, SECCOMP_RET_ALLOW);
	load_number(program);
}

/* For the same: a descriptor that nothing can be read by. */
static void allow_paths(struct program *program)
{
	unless_equal(program, __NR_openat, 4);
	load(program, ARGUMENT(2));
	unless_equal(program, O_PATH | O_CLOEXEC, 1);
	answer(program, SECCOMP_RET_ALLOW);
	load_number(program);
}

static void write_program(struct program *program)
{
	program->n = 0;
	load(program, offsetof(struct seccomp_data, arch));
	unless_equal(program, ARCHITECTURE, 1);
	add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0));
	answer(program, SECCOMP_RET_KILL_PROCESS);
	load_number(program);
	for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed); i++) {
		unless_equal(program, allowed[i], 1);
		answer(program, SECCOMP_RET_ALLOW);
	}
	allow_pairs(program);
	allow_limits(program);
	allow_paths(program);
	allow_memory(program, __NR_mmap);
	allow_memory(program, __NR_mprotect);
	answer(program, SECCOMP_RET_ERRNO | EPERM);
}

int sandbox_enter(void)
{
	struct program program;
	struct sock_fprog filter = {.filter = program.code};

	if (!ARCHITECTURE || IS_SANITIZED)
		return -EOPNOTSUPP;
	write_program(&program);
	filter.len = program.n;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) < 0)
		return -errno;
	return 0;
}
