/* udp.h - the swarm's one UDP socket: many datagrams a system call, both ways.
 *
 * Dual-stack where the machine has IPv6, IPv4 alone where not. Runs of datagrams of one size to one
 * peer leave as one UDP_SEGMENT message; what the kernel merged with UDP_GRO is split again. Both
 * are given up at run time where the kernel or a device refuses them. Datagrams are never
 * fragmented (they carry DF), so that path probing sees the truth. A datagram that cannot be sent
 * is counted and gone: to the layer above it is loss. Not here: pacing, retrying, who to talk to.
 */
#ifndef UDP_H
#define UDP_H

#include <stdbool.h>

#include "core/base/endpoint.h"

#define UDP_BUFFER_BYTES (4 << 20) /* asked of the kernel, each way: 100 ms at 300 Mb/s */
#define UDP_SEND_BATCH 64          /* datagrams pulled before a system call: GSO's limit too */
#define UDP_RECEIVE_BATCH 16       /* messages a call, each up to 64 merged datagrams */
#define UDP_WHY_MAX 160

struct udp;

struct udp_counters {
    uint64_t datagrams_in, bytes_in; /* UDP payload */
    uint64_t datagrams_out, bytes_out;
    uint64_t truncated_in; /* over DATAGRAM_MAX, dropped */
    uint64_t send_errors;  /* datagrams that the system refused */
    uint64_t receive_calls, send_calls;
    bool gso_active, gro_active;
};

typedef void (*udp_handler_fn)(void *ctx, const struct datagram *datagram);
/* Fills `ret` (peer, len, up to `capacity` bytes at `data`) and returns its length; 0: no more. */
typedef size_t (*udp_pull_fn)(void *ctx, struct datagram *ret);

/* `address` is "PORT", "192.0.2.1:PORT" or "[2001:db8::1]:PORT"; port 0 is a free one. Returns 0,
 * or ERR_FORMAT, ERR_EXISTS (in use), ERR_PERMISSION, ERR_MEMORY, ERR_SYSTEM, with a line that
 * names the address at `why` (UDP_WHY_MAX bytes). */
MUST_CHECK int udp_open(struct udp **ret, const char *address, char *why);
void udp_close(struct udp *udp);
int udp_fd(const struct udp *udp);
/* What it is bound to; the unspecified address where it is bound to all. */
struct endpoint udp_local(const struct udp *udp);
const struct udp_counters *udp_counters(const struct udp *udp);
/* False sends and receives one datagram a message. True has no effect once it was refused. */
void udp_set_offload(struct udp *udp, bool on);

/* Hands over what has arrived, until nothing is left or `budget` datagrams were reached (the last
 * system call may go beyond). The bytes are valid during the call. Returns how many. */
size_t udp_receive(struct udp *udp, udp_handler_fn handler, void *ctx, size_t budget);
/* Sends what `pull` gives until it gives nothing or the socket is full. What was pulled and did not
 * fit is kept, at most UDP_SEND_BATCH, and goes first the next time. Returns how many datagrams
 * the system took. */
size_t udp_send_from(struct udp *udp, udp_pull_fn pull, void *ctx);
/* Datagrams are kept: call udp_send_from again when the socket is writable. */
bool udp_is_blocked(const struct udp *udp);

#endif
