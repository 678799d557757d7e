#include <stdio.h>
#include <string.h>

#include "daemon/supervisor/client.h"
#include "daemon/supervisor/service.h"
#include "proto/varlink-text.h"

/* What every Varlink service has (https://varlink.org/Service). */
static const char text[] =
	"# Tells what a service is and which interfaces it has.\n"
	"interface " SERVICE_INTERFACE "\n"
	"\n"
	"method GetInfo() -> (\n"
	"\tvendor: string,\n"
	"\tproduct: string,\n"
	"\tversion: string,\n"
	"\turl: string,\n"
	"\tinterfaces: []string\n"
	")\n"
	"method GetInterfaceDescription(interface: string) -> (description: string)\n"
	"\n"
	"error InterfaceNotFound (interface: string)\n"
	"error MethodNotFound (method: string)\n"
	"error MethodNotImplemented (method: string)\n"
	"error InvalidParameter (parameter: string)\n"
	"error PermissionDenied ()\n"
	"error ExpectedMore ()\n";

void service_fail(struct call *call, const char *error, const char *member, const char *value)
{
	cJSON *object = cJSON_CreateObject();
	char name[64];

	if (member)
		(void)cJSON_AddStringToObject(object, member, value);
	(void)snprintf(name, sizeof(name), SERVICE_INTERFACE ".%s", error);
	call_fail(call, name, object);
}

void service_get_info(struct supervisor *supervisor, struct call *call, void *parameters)
{
	static const char *const interfaces[] = {SERVICE_INTERFACE, SERVICE_SUPERVISOR};
	cJSON *object = cJSON_CreateObject();

	(void)supervisor;
	(void)parameters;
	(void)cJSON_AddStringToObject(object, "vendor", "inko");
	(void)cJSON_AddStringToObject(object, "product", "inkod");
	(void)cJSON_AddStringToObject(object, "version", PACKAGE_VERSION);
	(void)cJSON_AddStringToObject(object, "url", "");
	(void)cJSON_AddItemToObject(object, "interfaces", cJSON_CreateStringArray(interfaces, 2));
	call_reply(call, object);
}

void service_get_description(struct supervisor *supervisor, struct call *call, void *parameters)
{
	static const struct {
		const char *name, *text;
	} descriptions[] = {{SERVICE_SUPERVISOR, varlink_text}, {SERVICE_INTERFACE, text}};
	struct service_description *wanted = parameters;
	cJSON *object;

	(void)supervisor;
	for (size_t i = 0; i < sizeof(descriptions) / sizeof(*descriptions); i++)
		if (strcmp(wanted->interface, descriptions[i].name) == 0) {
			object = cJSON_CreateObject();
			(void)cJSON_AddStringToObject(object, "description", descriptions[i].text);
			call_reply(call, object);
			return;
		}
	service_fail(call, "InterfaceNotFound", "interface", wanted->interface);
}
