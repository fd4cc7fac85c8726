/* version.h - the version of the program. That of the protocol is core/proto's. */
#ifndef VERSION_H
#define VERSION_H

#define SHOAL_VERSION "0.1.0"

#endif
