/* The table of xinetd.conf(5)'s attributes. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/words.h"
#include "logic/import/lines.h"
#include "logic/import/service.h"
#include "logic/import/xinetd.h"
#include "logic/import/xinetd_access.h"

static IMPORT_TAKE(take_clients)
{
        _cleanup_(text_clear) struct text clients = {0}, error = {0};
        int r = xinetd_access_convert(directive->value, &clients, &error);

        if (r == -ENOMEM)
                draft->out_of_memory = true;
        else if (r < 0)
                draft_close(draft, pool, "%s", text_string(&error));
        else if (clients.length > 0)
                draft_restrict(draft, pool, row->ours, text_string(&clients));
        else if (text_equal(row->ours, "allow"))
                draft_restrict(draft, pool, "deny", "0.0.0.0/0 ::/0"); /* an empty only_from is nobody */
}

static IMPORT_TAKE(take_instances)
{
        (void)row;
        service_instances(draft, pool, directive->value);
        if (isdigit((unsigned char)directive->value[0]))
                draft_set(draft, pool, "when_full", "refuse");
}

static IMPORT_TAKE(take_number)
{
        if (strcasecmp(directive->value, "UNLIMITED") == 0)
                draft_note(draft, pool, "there is no limit without %s", row->ours);
        else
                draft_set(draft, pool, row->ours, directive->value);
}

/* Words between blanks: xinetd knows no quotes. */
static IMPORT_TAKE(take_words)
{
        _cleanup_(words_clear) struct words words = {0};

        if (import_split(directive->value, &words) < 0)
                draft->out_of_memory = true;
        for (size_t i = 0; i < words.count; i++)
                draft_add_word(draft, pool, row->ours, words.list[i]);
}

/* `cps = NUMBER SECONDS`: so many connections a second. */
static IMPORT_TAKE(take_rate)
{
        char rate[64];

        snprintf(rate, sizeof(rate), "%.*s/s", (int)MIN_OF(strcspn(directive->value, " \t"), (size_t)20),
                 directive->value);
        if (draft_set(draft, pool, row->ours, rate))
                draft_note(draft, pool, "no service is closed for a while; what is more waits");
}

static IMPORT_TAKE(take_flags)
{
        static const struct {
                const char *flag, *ours, *note;
                bool closes;
        } flags[] = {
                {"KEEPALIVE", "tcp_keepalive", NULL, false},
                {"NODELAY", "tcp_nodelay", NULL, false},
                {"IPv4", NULL, NULL, false},
                {"IPv6", NULL, NULL, false},
                {"REUSE", NULL, "it is always so", false},
                {"NOLIBWRAP", NULL, "hosts.allow and hosts.deny are not read", false},
                {"NAMEINARGS", NULL, NULL, false},
                {"NORETRY", NULL, "a worker that cannot be started is tried again later", false},
                {"LABELED", NULL, "the security label of the connection is not taken over; set one for the service",
                 false},
                {"INTERCEPT", NULL, "packets of a service that waits are not looked at; use a firewall", true},
                {"IDONLY", NULL, "clients are not asked who they are (ident)", true},
        };
        _cleanup_(words_clear) struct words words = {0};

        (void)row;
        if (import_split(directive->value, &words) < 0)
                draft->out_of_memory = true;
        for (size_t i = 0; i < words.count; i++) {
                size_t f = 0;
                while (f < ELEMENTS(flags) && strcasecmp(flags[f].flag, words.list[i]) != 0)
                        f++;
                if (f == ELEMENTS(flags)) {
                        if (strcasecmp(words.list[i], "SENSOR") != 0)
                                draft_ask(draft, pool, "%s is unknown here", words.list[i]);
                } else if (flags[f].ours)
                        draft_set(draft, pool, flags[f].ours, "yes");
                else if (flags[f].closes)
                        draft_close(draft, pool, "%s: %s", flags[f].flag, flags[f].note);
                else if (flags[f].note)
                        draft_note(draft, pool, "%s: %s", flags[f].flag, flags[f].note);
        }
}

/* Is something else to be sent there already? xinetd sends two files, one after the other. */
static void send_file(struct draft *draft, struct draft_pool *pool, const char *option, const char *path)
{
        _cleanup_(text_clear) struct text named = {0};

        if (text_appendf(&named, "@%s", path) < 0)
                draft->out_of_memory = true;
        else if (draft_value(pool, option)[0] != '\0')
                draft_ask(draft, pool, "after another file; put both into one for %s", option);
        else
                draft_set_word(draft, pool, option, text_string(&named));
}

/* `banner`: whoever connects gets it. */
static IMPORT_TAKE(take_banner)
{
        static const char *const refusing[] = {"when_full", "max_connections_per_source", "allow", "deny"};
        bool is_for_all = text_equal(row->word, "banner"), refuses = false;

        send_file(draft, pool, row->ours, directive->value);
        for (size_t i = 0; i < ELEMENTS(refusing); i++)
                refuses = refuses || draft_value(pool, refusing[i])[0] != '\0';
        if (is_for_all && refuses)
                send_file(draft, pool, "full_response", directive->value);
}

/* What is said of each connection, or of those that are not served; an empty list says nothing. */
static IMPORT_TAKE(take_log)
{
        bool is_of_all = text_equal(directive->word, "log_on_success");

        if (directive->value[0] == '\0')
                draft_note(draft, pool, "nothing is said");
        else if (!is_of_all && draft_value(pool, row->ours)[0] != '\0')
                draft_note(draft, pool, "%s = %s says that, too", row->ours, draft_value(pool, row->ours));
        else if (text_equal(draft_value(pool, "handler_type"), "listener"))
                draft_note(draft, pool, "a service that waits has its connections alone: they are not logged");
        else
                draft_set(draft, pool, row->ours, is_of_all ? "all" : "refused");
}

static const char leaves_out[] = "such services are not served here";

/* clang-format off */
const struct import_row xinetd_rows[] = {
        {"id", NULL, "the name of the section", NULL},
        {"type", "handler_type", "INTERNAL is builtin; RPC, TCPMUX and TCPMUXPLUS are left out", NULL},
        {"flags", "tcp_keepalive", "KEEPALIVE; tcp_nodelay is NODELAY", take_flags},
        {"disable", NULL, "yes: the section stands as a comment", NULL},
        {"disabled", NULL, "those sections stand as comments", NULL},
        {"enabled", NULL, "other sections stand as comments", NULL},
        {"socket_type", "listen", "udp:ADDRESS:PORT for dgram", NULL},
        {"protocol", "listen", "udp:ADDRESS:PORT for udp", NULL},
        {"port", "listen", NULL, NULL},
        {"bind", "listen", "ADDRESS:PORT; without it *:PORT, with flags = IPv4 0.0.0.0:PORT; names are not looked up", NULL},
        {"interface", "listen", "ADDRESS:PORT; names are not looked up", NULL},
        {"v6only", "ipv6_only", NULL, NULL},
        {"wait", "handler_type", "yes is listener, with listen_fd = 0, accounting = none, scaling = ondemand and max_workers "
                 "= 1", NULL},
        {"user", "user", NULL, NULL},
        {"group", "group", NULL, import_take_word},
        {"groups", NULL, "the user's own groups are always set", import_take_note},
        {"umask", "umask", NULL, import_take_same},
        {"nice", "nice", NULL, import_take_same},
        {"server", "handler", NULL, NULL},
        {"server_args", "handler", "the arguments follow the program", NULL},
        {"env", "environment", NULL, take_words},
        {"passenv", "pass_environment", "or write the variables into environment; nothing else is passed on",
         take_words},
        {"instances", "max_workers", "and when_full = refuse", take_instances},
        {"per_source", "max_connections_per_source", NULL, take_number},
        {"cps", "rate_limit", "no limit closes a service", take_rate},
        {"max_load", NULL, "no limit closes a service; max_workers bounds it", import_take_note},
        {"only_from", "allow", "addresses and networks; names are not looked up", take_clients},
        {"no_access", "deny", "addresses and networks; names are not looked up", take_clients},
        {"access_times", NULL, "no rule depends on the time; a firewall has such rules, or a timer that pauses the pool",
         import_take_close},
        {"deny_time", NULL, "there are no sensors", import_take_note},
        {"libwrap", NULL, "hosts.allow and hosts.deny are not read", import_take_note},
        {"redirect", "handler", "= redirect ADDRESS:PORT, with handler_type = builtin", NULL},
        {"banner", "banner", "= @FILE; full_response, too, if somebody may be refused", take_banner},
        {"banner_success", "banner", "= @FILE", take_banner},
        {"banner_fail", "full_response", "= @FILE", take_banner},
        {"rlimit_as", "limit_as", NULL, import_take_limit},
        {"rlimit_files", "limit_nofile", NULL, import_take_limit},
        {"rlimit_cpu", "limit_cpu", NULL, import_take_limit},
        {"rlimit_data", "limit_data", NULL, import_take_limit},
        {"rlimit_stack", "limit_stack", NULL, import_take_limit},
        {"rlimit_rss", NULL, "Linux has no such limit; max_worker_memory replaces a worker that has more",
         import_take_note},
        {"log_type", "log_target", "in [preforkd]: journal, syslog or file:PATH", import_take_note},
        {"log_on_success", "connection_log", "= all, with all that is known", take_log},
        {"log_on_failure", "connection_log", "= refused", take_log},
        {"rpc_version", NULL, leaves_out, import_take_note},
        {"rpc_number", NULL, leaves_out, import_take_note},
        {"mdns", NULL, "nothing is announced; avahi has files for that", import_take_note},
};
/* clang-format on */
const size_t xinetd_row_count = ELEMENTS(xinetd_rows);

static bool is_one_of(const char *const *names, const char *name)
{
        while (*names && !text_equal(*names, name))
                names++;
        return *names != NULL;
}

bool xinetd_is_list(const char *attribute)
{
        static const char *const lists[] = {"log_on_success", "log_on_failure", "only_from", "no_access", "env",
                                            "passenv",        "disabled",       "enabled",   NULL};

        return is_one_of(lists, attribute);
}

bool xinetd_is_of_defaults(const char *attribute)
{
        static const char *const names[] = {
                "log_type",   "log_on_success", "log_on_failure", "disabled", "enabled",     "no_access",
                "only_from",  "instances",      "passenv",        "banner",   "banner_fail", "banner_success",
                "per_source", "bind",           "interface",      "groups",   "cps",         "max_load",
                "v6only",     "umask",          "mdns",           NULL};

        return is_one_of(names, attribute);
}
