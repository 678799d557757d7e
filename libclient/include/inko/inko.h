#pragma once

/*
 * All of libinko; libinko-nng's inko/remote.h is apart.
 */

#include <inko/actor.h>
#include <inko/address.h>
#include <inko/control.h>
#include <inko/ip.h>
#include <inko/mailbox.h>
#include <inko/notifier.h>
#include <inko/option.h>
#include <inko/resolve.h>
#include <inko/socket.h>
#include <inko/task.h>
#include <inko/tcp.h>
#include <inko/udp.h>
#include <inko/unix.h>
