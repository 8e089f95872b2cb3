#include "logic/import/service.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/address.h"
#include "base/cleanup.h"
#include "base/words.h"
#include "logic/config/builtins.h"
#include "logic/import/lines.h"

/* The host as it is written in front of a port; false: it is a name. */
static bool format_host(const char *host, char *text, size_t size)
{
        struct address address;

        if (host[0] == '\0')
                host = "*";
        if (text_equal(host, "localhost"))
                host = "127.0.0.1";
        if (host[0] == '[' || !strchr(host, ':'))
                snprintf(text, size, "%s", host);
        else
                snprintf(text, size, "[%s]", host);
        char with_port[ADDRESS_TEXT_MAX + 8];
        snprintf(with_port, sizeof(with_port), "%s:1", text);
        return strlen(host) < ADDRESS_TEXT_MAX - 2 && address_parse(with_port, &address) == 0;
}

void service_listen(struct draft *draft, struct draft_pool *pool, const struct import_input *input, const char *host,
                    const char *service, bool is_udp)
{
        char text[ADDRESS_TEXT_MAX], listen[ADDRESS_TEXT_MAX + 16];
        unsigned port = import_port(&input->services, service, is_udp ? "udp" : "tcp");

        if (port == 0) {
                draft_leave_out(draft, pool, "no port of the service %s (%s) is known; see services(5)", service,
                                is_udp ? "udp" : "tcp");
                return;
        }
        if (!format_host(host, text, sizeof(text))) {
                draft_leave_out(draft, pool, "%s is no address; names are not looked up", host);
                return;
        }
        snprintf(listen, sizeof(listen), "%s%s:%u", is_udp ? "udp:" : "", text, port);
        if (!draft_add_word(draft, pool, "listen", listen))
                draft_leave_out(draft, pool, "it has no address without");
}

void service_wait(struct draft *draft, struct draft_pool *pool)
{
        draft_set(draft, pool, "handler_type", "listener");
        draft_set(draft, pool, "listen_fd", "0");
        draft_set(draft, pool, "accounting", "none");
        draft_set(draft, pool, "scaling", "ondemand");
        draft_set(draft, pool, "max_workers", "1");
}

void service_builtin(struct draft *draft, struct draft_pool *pool, const char *name)
{
        if (!builtin_name_find(name)) {
                draft_leave_out(draft, pool, "preforkd itself serves no %s", name);
                return;
        }
        draft_set(draft, pool, "handler_type", "builtin");
        draft_set_word(draft, pool, "handler", name);
}

void service_user(struct draft *draft, struct draft_pool *pool, const char *user)
{
        const char *name = user && user[0] != '\0' ? user : "root";

        draft_require(draft, pool, "user", name);
        if (text_equal(name, "root") || text_equal(name, "0"))
                draft_set(draft, pool, "no_new_privileges", "no");
}

void service_wrapped(struct draft *draft, struct draft_pool *pool, const struct import_input *input)
{
        if (input->wrapped)
                draft_close(
                        draft, pool,
                        "hosts.allow and hosts.deny have rules; preforkctl import hosts-access PROGRAM makes allow and "
                        "deny of them (set NOLIBWRAP if the service does not ask them)");
}

void service_named_handler(struct draft *draft, struct draft_pool *pool, const char *program, const struct words *argv)
{
        const char *name = argv->count > 0 ? argv->list[0] : program;

        if (!draft_set_word(draft, pool, "handler", program))
                draft_leave_out(draft, pool, "it has no handler");
        for (size_t i = 1; i < argv->count; i++)
                draft_add_word(draft, pool, "handler", argv->list[i]);
        if (text_equal(name, program) || text_equal(name, text_base_name(program)))
                return;
        _cleanup_(text_clear) struct text quoted = {0};
        if (words_quote(&quoted, name) < 0)
                draft->out_of_memory = true;
        else if (text_equal(text_base_name(program), "tcpd"))
                draft_require(draft, pool, "argv0", text_string(&quoted));
        else
                draft_set(draft, pool, "argv0", text_string(&quoted));
}

void service_instances(struct draft *draft, struct draft_pool *pool, const char *number)
{
        if (isdigit((unsigned char)number[0]) && !text_equal(number, "0"))
                draft_set(draft, pool, "max_workers", number);
        else
                draft_note(draft, pool,
                           "every pool has a limit; max_workers is 64 unless you set it, and more connections wait");
}

void service_unread(struct draft *draft, struct draft_pool *pool, const struct text *lines)
{
        for (const char *at = text_string(lines); *at != '\0';) {
                size_t length = strcspn(at, "\n");
                draft_ask(draft, pool, "not understood: %.*s", (int)length, at);
                at += length + (at[length] == '\n');
        }
}
