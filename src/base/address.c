#include "base/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "base/text.h"

#define UDP_PREFIX "udp:"
#define UNIXGRAM_PREFIX "unixgram:"

static int parse_unix(const char *string, struct address *ret)
{
        struct address address = {.un = {.sun_family = AF_UNIX}};
        size_t length = strlen(string);
        bool abstract = string[0] == '@';

        if (length < 2)
                return -EINVAL;
        if (length >= sizeof(address.un.sun_path))
                return -ENAMETOOLONG;
        memcpy(address.un.sun_path, string, length);
        if (abstract)
                address.un.sun_path[0] = '\0';
        /* A path counts its NUL, an abstract name does not (unix(7)). */
        address.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (abstract ? 0 : 1));
        *ret = address;
        return 0;
}

static int parse_port(const char *string, in_port_t *ret)
{
        uint64_t port;
        int r = number_parse(string, &port);

        if (r < 0)
                return r;
        if (port < 1 || port > 65535)
                return -ERANGE;
        *ret = htons((in_port_t)port);
        return 0;
}

/* The IPv4 address of an IPv4-mapped one. */
static struct address mapped_ipv4(const struct address *mapped)
{
        struct address address = {.in = {.sin_family = AF_INET, .sin_port = mapped->in6.sin6_port},
                                  .length = sizeof(address.in)};

        memcpy(&address.in.sin_addr, &mapped->in6.sin6_addr.s6_addr[12], sizeof(address.in.sin_addr));
        return address;
}

/* `host` is what stood between the brackets: an IPv6 address, perhaps with %interface. */
static int parse_ipv6(char *host, in_port_t port, struct address *ret)
{
        struct address address = {.in6 = {.sin6_family = AF_INET6, .sin6_port = port}, .length = sizeof(address.in6)};
        char *interface = strchr(host, '%');

        if (interface) {
                *interface++ = '\0';
                address.in6.sin6_scope_id = if_nametoindex(interface);
                if (address.in6.sin6_scope_id == 0)
                        return -ENODEV;
        }
        if (inet_pton(AF_INET6, host, &address.in6.sin6_addr) != 1)
                return -EINVAL;
        if (IN6_IS_ADDR_V4MAPPED(&address.in6.sin6_addr)) /* shown as IPv4, so treated as IPv4 */
                address = mapped_ipv4(&address);
        *ret = address;
        return 0;
}

static int parse_ipv4(const char *host, in_port_t port, struct address *ret)
{
        struct address address = {.in = {.sin_family = AF_INET, .sin_port = port}, .length = sizeof(address.in)};

        if (inet_pton(AF_INET, text_equal(host, "localhost") ? "127.0.0.1" : host, &address.in.sin_addr) != 1)
                return -EINVAL;
        *ret = address;
        return 0;
}

static int parse_inet(const char *string, struct address *ret)
{
        char host[ADDRESS_TEXT_MAX];
        const char *colon = strrchr(string, ':');
        in_port_t port;

        if (!colon || colon == string || (size_t)(colon - string) >= sizeof(host))
                return -EINVAL;
        size_t length = (size_t)(colon - string);
        memcpy(host, string, length);
        host[length] = '\0';
        int r = parse_port(colon + 1, &port);
        if (r < 0)
                return r;
        if (text_equal(host, "*"))
                return parse_ipv6((char[]){"::"}, port, ret);
        if (host[0] != '[')
                return parse_ipv4(host, port, ret);
        if (host[length - 1] != ']')
                return -EINVAL;
        host[length - 1] = '\0';
        return parse_ipv6(host + 1, port, ret);
}

static bool is_unix_form(const char *string)
{
        return string[0] == '/' || string[0] == '@';
}

int address_parse(const char *string, struct address *ret)
{
        bool is_udp = text_starts_with(string, UDP_PREFIX), is_unixgram = text_starts_with(string, UNIXGRAM_PREFIX);
        const char *place = string + (is_udp ? strlen(UDP_PREFIX) : is_unixgram ? strlen(UNIXGRAM_PREFIX) : 0);
        bool is_unix = is_unix_form(place);

        if (is_unix ? is_udp : is_unixgram)
                return -EINVAL;
        int r = is_unix ? parse_unix(place, ret) : parse_inet(place, ret);
        if (r == 0)
                ret->datagram = is_udp || is_unixgram;
        return r;
}

int address_socket_type(const struct address *address)
{
        return address->datagram ? SOCK_DGRAM : SOCK_STREAM;
}

static bool is_v4_mapped(const struct address *address)
{
        return address->any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&address->in6.sin6_addr);
}

/* inet_ntop(3) prints them, which takes ten times as long; each connection that is logged has two. */
static void format_v4(const struct in_addr *address, char *text, size_t size)
{
        const unsigned char *bytes = (const unsigned char *)address;
        char scratch[INET_ADDRSTRLEN];
        size_t length = 0;

        for (unsigned i = 0; i < 4; i++) {
                if (bytes[i] >= 100)
                        scratch[length++] = (char)('0' + bytes[i] / 100);
                if (bytes[i] >= 10)
                        scratch[length++] = (char)('0' + bytes[i] / 10 % 10);
                scratch[length++] = (char)('0' + bytes[i] % 10);
                scratch[length++] = i < 3 ? '.' : '\0';
        }
        if (length <= size)
                memcpy(text, scratch, length);
}

void address_format_host(const struct address *address, char *text, size_t size)
{
        char interface[IF_NAMESIZE];

        text[0] = '\0';
        if (address->any.sa_family == AF_INET)
                format_v4(&address->in.sin_addr, text, size);
        else if (is_v4_mapped(address))
                format_v4((const struct in_addr *)(const void *)&address->in6.sin6_addr.s6_addr[12], text, size);
        else if (address->any.sa_family == AF_INET6) {
                inet_ntop(AF_INET6, &address->in6.sin6_addr, text, (socklen_t)size);
                size_t length = strlen(text);
                if (address->in6.sin6_scope_id == 0)
                        return;
                if (if_indextoname(address->in6.sin6_scope_id, interface))
                        snprintf(text + length, size - length, "%%%s", interface);
                else
                        snprintf(text + length, size - length, "%%%u", address->in6.sin6_scope_id);
        }
}

static void format_unix(const struct address *address, char *text, size_t size)
{
        size_t length = address->length > offsetof(struct sockaddr_un, sun_path)
                                ? address->length - offsetof(struct sockaddr_un, sun_path)
                                : 0;
        const char *path = address->un.sun_path;
        bool abstract = length > 0 && path[0] == '\0';

        const char *prefix = address->datagram ? UNIXGRAM_PREFIX : "";

        if (length == 0)
                text[0] = '\0';
        else if (abstract)
                snprintf(text, size, "%s@%.*s", prefix, (int)(length - 1), path + 1);
        else
                snprintf(text, size, "%s%.*s", prefix, (int)strnlen(path, length), path);
}

void address_format(const struct address *address, char *text, size_t size)
{
        char host[ADDRESS_TEXT_MAX];

        if (address->any.sa_family == AF_UNIX) {
                format_unix(address, text, size);
                return;
        }
        address_format_host(address, host, sizeof(host));
        bool brackets = address->any.sa_family == AF_INET6 && !is_v4_mapped(address);
        snprintf(text, size, brackets ? "%s[%s]:%u" : "%s%s:%u", address->datagram ? UDP_PREFIX : "", host,
                 address_port(address));
}

unsigned address_port(const struct address *address)
{
        if (address->any.sa_family == AF_INET)
                return ntohs(address->in.sin_port);
        if (address->any.sa_family == AF_INET6)
                return ntohs(address->in6.sin6_port);
        return 0;
}

static bool has_same_name(const struct address *a, const struct address *b)
{
        return a->length == b->length && memcmp(&a->un, &b->un, a->length) == 0;
}

bool address_equal(const struct address *a, const struct address *b)
{
        if (a->any.sa_family != b->any.sa_family || a->datagram != b->datagram)
                return false;
        if (a->any.sa_family == AF_INET)
                return a->in.sin_port == b->in.sin_port && a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
        if (a->any.sa_family == AF_INET6)
                return a->in6.sin6_port == b->in6.sin6_port && a->in6.sin6_scope_id == b->in6.sin6_scope_id &&
                       IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr, &b->in6.sin6_addr);
        return has_same_name(a, b);
}

static bool is_every_host(const struct address *address)
{
        return address->any.sa_family == AF_INET ? address->in.sin_addr.s_addr == htonl(INADDR_ANY)
                                                 : IN6_IS_ADDR_UNSPECIFIED(&address->in6.sin6_addr);
}

static bool is_same_path(const struct address *a, const struct address *b)
{
        return a->any.sa_family == AF_UNIX && b->any.sa_family == AF_UNIX && a->un.sun_path[0] != '\0' &&
               has_same_name(a, b);
}

bool address_clashes(const struct address *a, bool a_is_ipv6_only, const struct address *b, bool b_is_ipv6_only)
{
        int family_a = a->any.sa_family, family_b = b->any.sa_family;

        if (address_equal(a, b) || is_same_path(a, b))
                return true;
        if (a->datagram != b->datagram || (family_a != AF_INET && family_a != AF_INET6) ||
            (family_b != AF_INET && family_b != AF_INET6) || address_port(a) != address_port(b))
                return false;
        if (family_a == family_b)
                return is_every_host(a) || is_every_host(b);
        return family_a == AF_INET6 ? !a_is_ipv6_only && is_every_host(a) : !b_is_ipv6_only && is_every_host(b);
}

bool address_is_loopback(const struct address *address)
{
        switch (address->any.sa_family) {
        case AF_INET:
                return ntohl(address->in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
        case AF_INET6:
                return IN6_IS_ADDR_LOOPBACK(&address->in6.sin6_addr) ||
                       (is_v4_mapped(address) && address->in6.sin6_addr.s6_addr[12] == IN_LOOPBACKNET);
        default:
                return true;
        }
}

bool address_lacks_interface(const struct address *address)
{
        return address->any.sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&address->in6.sin6_addr) &&
               address->in6.sin6_scope_id == 0;
}
