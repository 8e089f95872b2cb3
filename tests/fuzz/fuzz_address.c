/* Addresses: what is parsed is written in a form that is parsed to the same address; any address that the kernel may
 * give can be written. */
#include "base/address.h"
#include "fuzz.h"
#include "logic/protocol/fd_store_name.h"

static void parse(const char *string)
{
        struct address address, again;
        char text[ADDRESS_TEXT_MAX], other[ADDRESS_TEXT_MAX], name[FD_STORE_NAME_MAX];

        memset(&address, 0x5a, sizeof(address));
        memset(&again, 0xa5, sizeof(again));
        if (address_parse(string, &address) < 0)
                return;
        address_format(&address, text, sizeof(text));
        MUST(address_parse(text, &again) == 0);
        MUST(address_equal(&address, &again));
        address_format(&again, other, sizeof(other));
        MUST(strcmp(text, other) == 0);
        MUST(address_clashes(&address, false, &again, false));
        address_format_host(&address, other, sizeof(other));
        fd_store_name_format(text, name);
        MUST(fd_store_name_is_ours(name));
}

/* As accept(2) and getsockname(2) fill one in. */
static void format(const uint8_t *data, size_t size)
{
        static const sa_family_t families[] = {AF_UNIX, AF_INET, AF_INET6};
        static const socklen_t least[] = {sizeof(sa_family_t), sizeof(struct sockaddr_in), sizeof(struct sockaddr_in6)};
        struct address address = {.length = 0};
        char text[ADDRESS_TEXT_MAX];

        if (size == 0)
                return;
        size_t family = data[0] % 3, length = size < sizeof(address.un) ? size : sizeof(address.un);
        memcpy(&address.any, data, length);
        address.any.sa_family = families[family];
        address.length = (socklen_t)(length < least[family] ? least[family] : length);
        address_format(&address, text, sizeof(text));
        MUST(strlen(text) < sizeof(text));
        address_format_host(&address, text, sizeof(text));
        address_port(&address);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char *string = fuzz_string(data, size);

        parse(string);
        format(data, size);
        free(string);
        return 0;
}
