#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/supervisor/capability.h"
#include "proto/spec.h"

#define PREFIX "cap_"
#define BIT(n) (UINT64_C(1) << (n))

/* Names are the kernel's, by number; one that is newer than this is not known. */
static const char *const names[CAP_LAST_CAP + 1] = {
	[CAP_CHOWN] = "chown",
	[CAP_DAC_OVERRIDE] = "dac_override",
	[CAP_DAC_READ_SEARCH] = "dac_read_search",
	[CAP_FOWNER] = "fowner",
	[CAP_FSETID] = "fsetid",
	[CAP_KILL] = "kill",
	[CAP_SETGID] = "setgid",
	[CAP_SETUID] = "setuid",
	[CAP_SETPCAP] = "setpcap",
	[CAP_LINUX_IMMUTABLE] = "linux_immutable",
	[CAP_NET_BIND_SERVICE] = "net_bind_service",
	[CAP_NET_BROADCAST] = "net_broadcast",
	[CAP_NET_ADMIN] = "net_admin",
	[CAP_NET_RAW] = "net_raw",
	[CAP_IPC_LOCK] = "ipc_lock",
	[CAP_IPC_OWNER] = "ipc_owner",
	[CAP_SYS_MODULE] = "sys_module",
	[CAP_SYS_RAWIO] = "sys_rawio",
	[CAP_SYS_CHROOT] = "sys_chroot",
	[CAP_SYS_PTRACE] = "sys_ptrace",
	[CAP_SYS_PACCT] = "sys_pacct",
	[CAP_SYS_ADMIN] = "sys_admin",
	[CAP_SYS_BOOT] = "sys_boot",
	[CAP_SYS_NICE] = "sys_nice",
	[CAP_SYS_RESOURCE] = "sys_resource",
	[CAP_SYS_TIME] = "sys_time",
	[CAP_SYS_TTY_CONFIG] = "sys_tty_config",
	[CAP_MKNOD] = "mknod",
	[CAP_LEASE] = "lease",
	[CAP_AUDIT_WRITE] = "audit_write",
	[CAP_AUDIT_CONTROL] = "audit_control",
	[CAP_SETFCAP] = "setfcap",
	[CAP_MAC_OVERRIDE] = "mac_override",
	[CAP_MAC_ADMIN] = "mac_admin",
	[CAP_SYSLOG] = "syslog",
	[CAP_WAKE_ALARM] = "wake_alarm",
	[CAP_BLOCK_SUSPEND] = "block_suspend",
	[CAP_AUDIT_READ] = "audit_read",
	[CAP_PERFMON] = "perfmon",
	[CAP_BPF] = "bpf",
	[CAP_CHECKPOINT_RESTORE] = "checkpoint_restore",
};

static int find(const char *name)
{
	if (strncasecmp(name, PREFIX, strlen(PREFIX)) == 0)
		name += strlen(PREFIX);
	for (int n = 0; n <= CAP_LAST_CAP; n++)
		if (names[n] && strcasecmp(names[n], name) == 0)
			return n;
	return -EINVAL;
}

static int get(struct __user_cap_data_struct data[static _LINUX_CAPABILITY_U32S_3])
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};

	return syscall(SYS_capget, &header, data) < 0 ? -errno : 0;
}

capability_set capability_get_own(void)
{
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (get(data) < 0)
		return 0;
	return data[0].permitted | (capability_set)data[1].permitted << 32;
}

bool capability_is_own(const char *name)
{
	return capability_get_own() & BIT(find(name));
}

int capability_parse_set(char *const *wanted, capability_set *ret_set, const char **ret_unknown)
{
	capability_set set = 0;

	for (; wanted && *wanted; wanted++) {
		int n = find(*wanted);

		if (strcmp(*wanted, SPEC_ALL_CAPABILITIES) == 0) {
			set |= capability_get_own();
		} else if (n < 0) {
			*ret_unknown = *wanted;
			return n;
		} else {
			set |= BIT(n);
		}
	}
	*ret_set = set;
	return 0;
}

bool capability_is_bounded(capability_set keep)
{
	for (int n = 0; prctl(PR_CAPBSET_READ, n, 0, 0, 0) >= 0; n++)
		if ((n >= 64 || !(keep & BIT(n))) && prctl(PR_CAPBSET_READ, n, 0, 0, 0) > 0)
			return false;
	return true;
}

/* Without CAP_SETPCAP it is left as it is: root has it by executing anything, so that spec-check.c
 * wants that to gain nothing. */
int capability_bound(capability_set keep)
{
	if (!(capability_get_own() & BIT(CAP_SETPCAP)))
		return 0;
	/* This kernel may know more than were known when this was built. */
	for (int n = 0; prctl(PR_CAPBSET_READ, n, 0, 0, 0) >= 0; n++)
		if ((n >= 64 || !(keep & BIT(n))) && prctl(PR_CAPBSET_DROP, n, 0, 0, 0) < 0)
			return -errno;
	return 0;
}

int capability_keep(capability_set keep)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	for (unsigned int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		uint32_t half = (uint32_t)(keep >> (32 * i));

		data[i] = (struct __user_cap_data_struct){
			.effective = half, .permitted = half, .inheritable = half};
	}
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
		syscall(SYS_capset, &header, data) < 0)
		return -errno;
	for (int n = 0; n <= CAP_LAST_CAP; n++)
		if (keep & BIT(n) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, n, 0, 0) < 0)
			return -errno;
	return 0;
}
