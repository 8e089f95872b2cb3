#include "logic/protocol/fd_store_name.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

#include "base/text.h"

#define PREFIX "preforkd/"
#define HASH_LENGTH 17 /* "-" and 16 digits */

/* FNV-1a. */
static uint64_t hash(const char *string)
{
        uint64_t value = UINT64_C(0xcbf29ce484222325);

        for (; *string != '\0'; string++)
                value = (value ^ (unsigned char)*string) * UINT64_C(0x100000001b3);
        return value;
}

static bool is_plain(char c)
{
        return isalnum((unsigned char)c) || (c != '\0' && strchr("./_-@[]", c));
}

void fd_store_name_format(const char *address, char name[static FD_STORE_NAME_MAX])
{
        size_t length = sizeof(PREFIX) - 1;

        memcpy(name, PREFIX, sizeof(PREFIX));
        for (const char *at = address; *at != '\0'; at++) {
                /* An escaped path may be too long: people see its beginning, the hash makes it unique. */
                if (length + sizeof("%XX") > FD_STORE_NAME_MAX - HASH_LENGTH) {
                        snprintf(name + length, FD_STORE_NAME_MAX - length, "-%016" PRIx64, hash(address));
                        return;
                }
                length += (size_t)snprintf(name + length, FD_STORE_NAME_MAX - length, is_plain(*at) ? "%c" : "%%%02X",
                                           (unsigned char)*at);
        }
}

bool fd_store_name_is_ours(const char *name)
{
        return text_starts_with(name, PREFIX);
}
