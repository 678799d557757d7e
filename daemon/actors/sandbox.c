#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
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

/* The halves of an argument, on machines that write the lower one first: both of those above. */
#define LOWER(n) (offsetof(struct seccomp_data, args) + (n) * sizeof(uint64_t))
#define UPPER(n) (LOWER(n) + sizeof(uint32_t))

/* What it does for its living, then what libc does for it: memory, locks, time, ending. Calls that
 * take a descriptor do no harm beyond those that it was given. */
static const uint32_t allowed[] = {
	__NR_accept4, __NR_close, __NR_epoll_create1, __NR_epoll_ctl, __NR_epoll_pwait, __NR_fcntl,
	__NR_fstat, __NR_getsockopt, __NR_read, __NR_recvfrom, __NR_recvmsg, __NR_setsockopt,
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

enum comparison { ALWAYS, EQUAL, CLEAR /* has none of these bits */ };

struct condition {
	enum comparison comparison; /* the last one of a rule is ALWAYS */
	uint32_t offset, value;
};

/* Calls of which some do harm. */
static const struct rule {
	uint32_t number;
	struct condition conditions[4];
} rules[] = {
	/* To an address it is connect(2), for a stream socket that is none any more (a listener
	 * that was shut down) with MSG_FASTOPEN. */
	{__NR_sendto,
		{{EQUAL, LOWER(4), 0}, {EQUAL, UPPER(4), 0}, {CLEAR, LOWER(3), MSG_FASTOPEN}}},
	{__NR_sendmsg, {{CLEAR, LOWER(2), MSG_FASTOPEN}}},
	/* To measure what a message costs, a pair that nobody else can reach: a datagram socket
	 * could send to others. */
	{__NR_socketpair,
		{{EQUAL, LOWER(0), AF_UNIX}, {EQUAL, LOWER(1), SOCK_SEQPACKET | SOCK_CLOEXEC}}},
	/* How much of a lane is not read yet. */
	{__NR_ioctl, {{EQUAL, LOWER(1), SIOCOUTQ}}},
	/* To look at a limit, which libinko does to see whether there is room for a descriptor. To
	 * set one takes an address. */
	{__NR_prlimit64, {{EQUAL, LOWER(2), 0}, {EQUAL, UPPER(2), 0}}},
	/* For the same: a descriptor that nothing can be read by. */
	{__NR_openat, {{EQUAL, LOWER(2), O_PATH | O_CLOEXEC}}},
	/* Memory, but none to be executed. */
	{__NR_mmap, {{CLEAR, LOWER(2), PROT_EXEC}}},
	{__NR_mprotect, {{CLEAR, LOWER(2), PROT_EXEC}}},
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

/* Two instructions: goes on behind the next skipped ones unless the condition holds. */
static void add_condition(
	struct program *program, const struct condition *condition, uint8_t skipped)
{
	load(program, condition->offset);
	if (condition->comparison == EQUAL)
		unless_equal(program, condition->value, skipped);
	else
		unless_clear(program, condition->value, skipped);
}

static void add_rule(struct program *program, const struct rule *rule)
{
	uint8_t n = 0;

	while (rule->conditions[n].comparison != ALWAYS)
		n++;
	unless_equal(program, rule->number, (uint8_t)(2 * n + 2));
	for (uint8_t i = 0; i < n; i++)
		add_condition(program, &rule->conditions[i], (uint8_t)(2 * (n - i - 1) + 1));
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
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
		add_rule(program, &rules[i]);
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
