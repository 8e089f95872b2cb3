/* Socket units of systemd with their services: the table of directives, and what the units become. Called by `import`.
 *
 * The sources are a .socket, its drop-ins, its .service and that one's drop-ins; then the next .socket. */
#pragma once

#include "logic/import/import_row.h"
#include "logic/import/input.h"

extern const struct import_row systemd_rows[];
extern const size_t systemd_row_count;

int systemd_convert(struct draft *draft, const struct import_input *input);

/* Append the name of the unit that the socket starts: `Service=`, NAME@.service with `Accept=yes`, else NAME.service.
 * `name` is that of the socket unit; the sources are it and its drop-ins. 0 or -ENOMEM. */
int systemd_service_name(const char *name, const struct import_source *sources, size_t count, struct text *service);
