/*
 * How a TCP connection does: the kernel's TCP_INFO, of which the C library knows the beginning
 * only.
 */

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "libclient/socket.h"

#include <inko/option.h>

/* TCP_ESTABLISHED, which is the kernel's own secret. */
#define STATE_ESTABLISHED 1

int inko_socket_get_tcp_info(const struct inko_socket *socket, struct inko_tcp_info *ret_info)
{
	struct tcp_info info = {0}; /* an older kernel fills less of it */
	socklen_t size = sizeof(info);

	if (getsockopt(socket->fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
		return errno == ENOPROTOOPT ? -EOPNOTSUPP : -errno;
	*ret_info = (struct inko_tcp_info){
		.is_established = info.tcpi_state == STATE_ESTABLISHED,
		.round_trip_usec = info.tcpi_rtt,
		.round_trip_variation_usec = info.tcpi_rttvar,
		.min_round_trip_usec = info.tcpi_min_rtt,
		.send_segment_bytes = info.tcpi_snd_mss,
		.receive_segment_bytes = info.tcpi_rcv_mss,
		.congestion_window_segments = info.tcpi_snd_cwnd,
		.unacknowledged_segments = info.tcpi_unacked,
		.lost_segments = info.tcpi_lost,
		.retransmitted_segments = info.tcpi_total_retrans,
		.acknowledged_bytes = info.tcpi_bytes_acked,
		.received_bytes = info.tcpi_bytes_received,
		.unsent_bytes = info.tcpi_notsent_bytes,
		.delivery_bytes_per_second = info.tcpi_delivery_rate,
	};
	return 0;
}
