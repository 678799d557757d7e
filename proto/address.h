#pragma once

/*
 * Addresses that listeners are opened on: tcp://127.0.0.1:80, tcp://[::1]:80, tcp://localhost:80,
 * unix:///run/web.sock. One parser and one printer for every program.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <netinet/in.h>

#include "proto/limits.h"

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un un;
	};
	socklen_t length;
};

#define ADDRESS_TEXT_BYTES 160

/* Strict: nothing before, after or left out. On -EINVAL *ret_complaint is one sentence that
 * says what to write instead (static storage). */
int address_parse(const char *text, struct address *ret_address, const char **ret_complaint);

/* A port and nothing else: a decimal number without sign and leading zeros, up to 65535. */
bool address_parse_port(const char *text, uint16_t *ret_port);

/* Is its port 0, so that each bind(2) finds another one? */
bool address_has_any_port(const struct address *address);

/* The canonical text of address, as address_parse takes it. */
void address_format(const struct address *address, char text[static ADDRESS_TEXT_BYTES]);

/* The name that a listener on address has by default: tcp-127.0.0.1-8080, tcp-__1-80 for [::1],
 * unix-run-web.sock. Always valid, cut to LIMIT_NAME_CHARS. */
void address_default_name(const struct address *address, char name[static LIMIT_NAME_CHARS + 1]);
