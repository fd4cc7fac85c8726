/* limits.h - the bounds that both ends of the wire agree on. */
#ifndef LIMITS_H
#define LIMITS_H

#define PROTOCOL_VERSION 3

#define TRACKS_MAX 8       /* the audio and a ladder of renditions; 3 bits in a cell's type */
#define SLOTS_MAX 16       /* channels over one link; 4 bits in a cell's type */
#define SUBSTREAM_HEADS 16 /* a track's heads, where substreams are counted */
#define ANCESTRIES_MAX 17  /* in a GRANT: one for each substream and the heads */
#define SUBSTREAMS_MAX 16  /* of one track */
#define CHUNK_CELLS_MAX 64 /* so that a bitmap of a chunk's cells is one uint64_t */
#define CELL_SIZE 1120     /* payload bytes: fits a sealed datagram of 1,200 bytes with an ACK */
#define CELL_SIZE_MAX 1400 /* room for larger paths */
#define CHUNK_SIZE_MAX (CHUNK_CELLS_MAX * CELL_SIZE_MAX)
#define MANIFEST_SIZE_MAX 8000                         /* encoded, with its signature */
#define HEAD_SIZE_MAX (47 + CHUNK_CELLS_MAX * 16 + 64) /* encoded, with its signature */
#define HOLDER_ENDPOINTS_MAX 4
#define ENTRY_HOLDERS_MAX 16
#define PEERS_MAX 16     /* in one PEERS or GRANT message */
#define ANCESTORS_MAX 16 /* of one substream, 4 bytes each */

#endif
