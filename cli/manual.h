/* manual.h - the parts of the manual page and of the shell's completion that the tables make.
 *
 * cli/shoal.1.in is the page, written by hand around them; scripts/make-man puts both together. */
#ifndef MANUAL_H
#define MANUAL_H

#include <stdbool.h>
#include <stdio.h>

/* One part in man(7): "version", "synopsis", "commands", "options", "environment" or "stats". False
 * where there is no such part. */
bool manual_print(FILE *to, const char *part);
/* For bash. */
void completion_print(FILE *to);

#endif
