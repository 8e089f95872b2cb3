#include "lib/host_text.h"

#include <net/if.h>
#include <stddef.h>

#include "lib/sys.h"

#define WORDS 8 /* of an IPv6 address */

static void add_v4(struct line *line, const unsigned char *bytes)
{
        for (unsigned i = 0; i < 4; i++) {
                if (i > 0)
                        line_add(line, ".");
                line_add_number(line, bytes[i]);
        }
}

/* The first of the longest runs of zeroes, which is written as `::`; it has two words at least. */
static void find_run(const uint16_t *words, unsigned *ret_first, unsigned *ret_length)
{
        *ret_first = WORDS, *ret_length = 1;
        for (unsigned first = 0; first < WORDS; first++) {
                unsigned length = 0;
                while (first + length < WORDS && words[first + length] == 0)
                        length++;
                if (length > *ret_length)
                        *ret_first = first, *ret_length = length;
        }
}

static void add_v6(struct line *line, const unsigned char *bytes)
{
        uint16_t words[WORDS];
        unsigned first, length;

        for (unsigned i = 0; i < WORDS; i++)
                words[i] = (uint16_t)(bytes[(size_t)2 * i] << 8 | bytes[(size_t)2 * i + 1]);
        find_run(words, &first, &length);
        bool has_v4 = first == 0 && length == 6; /* an IPv4-compatible address */
        for (unsigned i = 0; i < (has_v4 ? 6 : WORDS); i++) {
                if (i >= first && i < first + length) {
                        line_add(line, i == first ? ":" : "");
                        continue;
                }
                line_add(line, i > 0 ? ":" : "");
                line_add_hex(line, words[i]);
        }
        if (has_v4) {
                line_add(line, ":");
                add_v4(line, bytes + 12);
        } else if (first < WORDS && first + length == WORDS)
                line_add(line, ":");
}

static void add_interface(struct line *line, uint32_t index, int fd)
{
        char name[IF_NAMESIZE];

        line_add(line, "%");
        if (sys_interface_name(fd, index, name) == 0)
                line_add(line, name);
        else
                line_add_number(line, index);
}

void host_text_add(struct line *line, const struct address *address, int fd)
{
        const unsigned char *bytes = address->in6.sin6_addr.s6_addr;

        if (address->any.sa_family == AF_INET)
                add_v4(line, (const unsigned char *)&address->in.sin_addr);
        if (address->any.sa_family != AF_INET6)
                return;
        if (IN6_IS_ADDR_V4MAPPED(&address->in6.sin6_addr)) {
                add_v4(line, bytes + 12);
                return;
        }
        add_v6(line, bytes);
        if (address->in6.sin6_scope_id != 0)
                add_interface(line, address->in6.sin6_scope_id, fd);
}

unsigned host_text_port(const struct address *address)
{
        uint16_t port = address->any.sa_family == AF_INET    ? address->in.sin_port
                        : address->any.sa_family == AF_INET6 ? address->in6.sin6_port
                                                             : 0;
        const unsigned char *bytes = (const unsigned char *)&port;

        return (unsigned)bytes[0] << 8 | bytes[1];
}

void host_text_add_path(struct line *line, const struct address *address)
{
        const char *path = address->un.sun_path;
        size_t before = offsetof(struct sockaddr_un, sun_path), length = 0;

        if (address->any.sa_family != AF_UNIX || address->length <= before)
                return;
        size_t most = address->length - before;
        if (path[0] == '\0') {
                line_add(line, "@");
                while (1 + length < most && path[1 + length] != '\0')
                        length++;
                line_add_bytes(line, path + 1, length);
                return;
        }
        while (length < most && path[length] != '\0')
                length++;
        line_add_bytes(line, path, length);
}
