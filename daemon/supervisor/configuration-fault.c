#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "daemon/supervisor/configuration-fault.h"
#include "daemon/supervisor/configuration.h"

int configuration_fault_refuse(struct configuration_fault *ret_fault, const char *reason, ...)
{
	va_list arguments;

	va_start(arguments, reason);
	(void)vsnprintf(ret_fault->reason, sizeof(ret_fault->reason), reason, arguments);
	va_end(arguments);
	return -EINVAL;
}

void configuration_fault_locate(
	struct configuration_fault *fault, const char *array, size_t index, const char *member)
{
	(void)snprintf(fault->path, sizeof(fault->path), "%s[%zu]%s%.80s", array, index,
		member ? "." : "", member ? member : "");
}

void configuration_fault_locate_listener(struct configuration_fault *fault,
	const struct configured_listener *listener, const char *member)
{
	if (listener->request.is_owned)
		configuration_fault_locate(fault, "actors", listener->index, "listeners");
	else
		configuration_fault_locate(fault, "listeners", listener->index, member);
}

int configuration_fault_check_number(
	const char *member, size_t n, size_t limit, struct configuration_fault *fault)
{
	if (n <= limit)
		return 0;
	(void)snprintf(fault->path, sizeof(fault->path), "%s", member);
	return configuration_fault_refuse(fault,
		"there would be %zu, and there may be up to %zu; have some of them run by another "
		"inkod",
		n, limit);
}
