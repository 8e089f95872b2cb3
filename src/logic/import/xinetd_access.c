#include "logic/import/xinetd_access.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/address.h"
#include "base/cleanup.h"
#include "base/number.h"
#include "base/text.h"
#include "base/words.h"
#include "logic/import/lines.h"

#define EVERYBODY "0.0.0.0/0 ::/0"

static int add(struct text *clients, const char *client)
{
        return text_appendf(clients, "%s%s", clients->length > 0 ? " " : "", client);
}

/* `1.2`, `1.2.0.0`: what is missing or 0 at the end stands for everything. 0, -EINVAL (no such form) or -ENOMEM. */
static int convert_ipv4(const char *word, struct text *clients)
{
        unsigned bytes[4] = {0}, count = 0, prefix = 0;
        char network[32];

        for (const char *at = word;; at++) {
                size_t digits = strspn(at, "0123456789");
                if (digits == 0 || digits > 3 || count == 4)
                        return -EINVAL;
                for (size_t i = 0; i < digits; i++)
                        bytes[count] = bytes[count] * 10 + (unsigned)(at[i] - '0');
                if (bytes[count] > 255)
                        return -EINVAL;
                count++;
                at += digits;
                if (*at == '\0')
                        break;
                if (*at != '.')
                        return -EINVAL;
                if (at[1] == '\0') /* `1.2.` */
                        break;
        }
        for (unsigned i = 0; i < 4; i++)
                if (bytes[i] != 0)
                        prefix = (i + 1) * 8;
        if (prefix == 0)
                return add(clients, EVERYBODY);
        snprintf(network, sizeof(network), "%u.%u.%u.%u%s%.0u", bytes[0], bytes[1], bytes[2], bytes[3],
                 prefix < 32 ? "/" : "", prefix < 32 ? prefix : 0);
        return add(clients, network);
}

/* ADDRESS or ADDRESS/PREFIX of IPv6, or ADDRESS/PREFIX of IPv4. 0, -EINVAL or -ENOMEM. */
static int convert_network(const char *word, struct text *clients)
{
        size_t length = strcspn(word, "/");
        bool is_ipv6 = memchr(word, ':', length) != NULL;
        char with_port[ADDRESS_TEXT_MAX];
        struct address address;
        uint64_t prefix;

        if (length > 64 || (!is_ipv6 && word[length] == '\0'))
                return -EINVAL;
        snprintf(with_port, sizeof(with_port), is_ipv6 ? "[%.*s]:1" : "%.*s:1", (int)length, word);
        if (address_parse(with_port, &address) < 0 || word[0] == '*' || isalpha((unsigned char)word[0]) > is_ipv6)
                return -EINVAL;
        if (word[length] == '/' && (number_parse(word + length + 1, &prefix) < 0 || prefix > (is_ipv6 ? 128 : 32)))
                return -EINVAL;
        return add(clients, word);
}

/* `1.2.{3,4}`: one word for each in the braces. */
static int convert_factorized(const char *word, const char *open, struct text *clients)
{
        const char *close = strchr(open, '}'), *at = open + 1;
        char one[64];
        int r = 0;

        if (!close || (close[1] != '\0' && close[1] != '/'))
                return -EINVAL;
        while (at < close && r == 0) {
                size_t length = strcspn(at, ",}");
                if (snprintf(one, sizeof(one), "%.*s%.*s%s", (int)(open - word), word, (int)length, at, close + 1) >=
                    (int)sizeof(one))
                        return -EINVAL;
                r = close[1] == '/' ? convert_network(one, clients) : convert_ipv4(one, clients);
                at += length + (at[length] == ',');
        }
        return r;
}

int xinetd_access_convert(const char *list, struct text *clients, struct text *error)
{
        _cleanup_(words_clear) struct words words = {0};
        int r = import_split(list, &words);

        for (size_t i = 0; i < words.count && r == 0; i++) {
                const char *word = words.list[i], *open = strchr(word, '{');
                if (text_equal(word, "localhost")) {
                        r = add(clients, "127.0.0.1 ::1");
                        continue;
                }
                r = open ? convert_factorized(word, open, clients) : convert_ipv4(word, clients);
                if (r == -EINVAL && !open)
                        r = convert_network(word, clients);
                if (r == -EINVAL &&
                    text_appendf(error, "%s is no address or network; names are not looked up", word) < 0)
                        r = -ENOMEM;
        }
        return r;
}
