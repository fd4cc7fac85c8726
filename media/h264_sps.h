/* h264_sps.h - the one thing that a muxer must know of H.264 beforehand: how many frames a decoder
 * holds back to bring them into the order in which they are shown.
 *
 * It stands at the end of the sequence parameter set (ITU-T H.264, 7.3.2.1.1 and E.1.1), so all
 * before it is read too. The bytes come from strangers: reading ends with them. */
#ifndef H264_SPS_H
#define H264_SPS_H

#include "core/base/base.h"

#define H264_REORDER_MAX 16 /* H.264, A.3.1: frames in the decoder's picture buffer */
#define H264_SPS_MAX 512    /* bytes; encoders write 20 to 40 */

/* `avcc` as in ISO/IEC 14496-15, 5.3.3.1. Returns the count, at most H264_REORDER_MAX, or
 * ERR_FORMAT, ERR_RANGE, ERR_TRUNCATED. */
MUST_CHECK int h264_reorder_frames(const uint8_t *avcc, size_t len);

#endif
