#pragma once

/*
 * All of libinko; libinko-nng's inko/remote.h is apart.
 */

#include <inko/actor.h>
#include <inko/address.h>
#include <inko/control.h>
#include <inko/ip.h>
#include <inko/mailbox.h>
#include <inko/socket.h>
#include <inko/task.h>
