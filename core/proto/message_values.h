/* message_values.h - what the fields of messages (message.h) may say: flags, reasons, units. */
#ifndef MESSAGE_VALUES_H
#define MESSAGE_VALUES_H

#include <stdint.h>

/* `from` of a SUBSCRIBE: start where decoding can start. The parent takes the newest random access
 * chunk of the video, and of every other track the chunk that covers that chunk's time. */
#define FROM_RANDOM_ACCESS UINT32_MAX

/* An OFFER says lags in these units: a byte reaches a second, */
#define LAG_UNIT_US 4000
#define LAG_NONE UINT8_MAX /* but for this: it has no parent for it, or not known how late */
/* and rates in these: 16 bits reach a gigabit a second. */
#define OFFER_UNIT_BPS 16000

enum subscribe_flag {
    SUBSCRIBE_HEADS = 1 << 0,   /* the track's heads too */
    SUBSCRIBE_STARVED = 1 << 1, /* nobody else has granted this: take me beyond your soft limit */
    SUBSCRIBE_FLAGS_ALL = (1 << 2) - 1,
};

enum request_flag {
    REQUEST_HEAD = 1 << 0, /* the head first */
    REQUEST_FLAGS_ALL = (1 << 1) - 1,
};

enum bye_reason {
    BYE_LEAVING = 1,    /* the program ends, or leaves the channel */
    BYE_NO_CHANNEL = 2, /* the peer does not carry this channel */
    BYE_FULL = 3,       /* it has as many neighbours as it wants */
    BYE_BROADCAST = 4,  /* it follows another broadcast */
    BYE_REASON_MAX = BYE_BROADCAST,
};

#endif
