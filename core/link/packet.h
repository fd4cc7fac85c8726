/* packet.h - the kinds of datagram and their plain headers (core/PROTOCOL.md, 1).
 *
 * Everything behind a plain header is sealed or authenticated by the handshake; what stands here
 * is what a stranger can see and forge, and what is looked at first, because it is cheap. */
#ifndef PACKET_H
#define PACKET_H

#include "core/crypto/noise.h"
#include "core/link/link.h"
#include "core/proto/limits.h"

enum packet_type {
    PACKET_INIT = 1,
    PACKET_RESPONSE,
    PACKET_COOKIE,
    PACKET_DATA,
    PACKET_VERSION,
    PACKET_ASK,
    PACKET_IDENTITY,
};

#define PACKET_MAC_BYTES 16
#define PACKET_MACS_BYTES (2 * PACKET_MAC_BYTES)

#define PACKET_INIT_HEADER 6 /* type, version, sender index */
#define PACKET_INIT_PAYLOAD                                                                        \
    (LINK_DATAGRAM_SIZE - PACKET_INIT_HEADER - NOISE_MESSAGE1_OVERHEAD - PACKET_MACS_BYTES)

#define PACKET_RESPONSE_HEADER 9 /* type, sender index, receiver index */
#define PACKET_RESPONSE_OVERHEAD                                                                   \
    (PACKET_RESPONSE_HEADER + NOISE_MESSAGE2_OVERHEAD + PACKET_MACS_BYTES)
#define PACKET_RESPONSE_PAYLOAD (LINK_DATAGRAM_SIZE - PACKET_RESPONSE_OVERHEAD)

#define PACKET_COOKIE_SIZE 61 /* type, receiver index, nonce 24, sealed cookie 32 */

#define PACKET_DATA_HEADER 9 /* type, receiver index, counter */

#define PACKET_VERSION_HEADER 6 /* type, version spoken, receiver index; then text */
#define PACKET_VERSION_TEXT_MAX 90

#define PACKET_ASK_SIZE 64      /* type, version, nonce 8, zeros: larger than the answer */
#define PACKET_IDENTITY_SIZE 42 /* type, version, nonce 8, public key */

#endif
