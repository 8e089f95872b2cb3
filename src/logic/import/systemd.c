#include "logic/import/systemd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/network.h"
#include "base/words.h"
#include "logic/import/sections.h"
#include "logic/import/service.h"
#include "logic/import/systemd_value.h"

#define EVERYBODY "0.0.0.0/0 ::/0"

/* A socket with its service. */
struct unit {
        struct draft *draft;
        struct draft_pool *pool;
        struct sections sections;
        bool accepts; /* Accept=yes: a process for each connection */
};

static bool is_list(const char *key)
{
        static const char *const lists[] = {"ListenStream",        "ListenDatagram",  "ExecStart",
                                            "Environment",         "EnvironmentFile", "PassEnvironment",
                                            "SupplementaryGroups", "IPAddressAllow",  "IPAddressDeny"};

        for (size_t i = 0; i < ELEMENTS(lists); i++)
                if (text_equal(lists[i], key))
                        return true;
        return false;
}

/* The last item of the key, in the socket or the service. */
static const struct section_item *find_item(const struct sections *sections, const char *key)
{
        const struct section_item *found = NULL;

        for (size_t i = 0; i < sections->count; i++) {
                const struct section_item *item = &sections->items[i];
                if (text_equal(item->key, key) &&
                    (text_equal(item->section, "Socket") || text_equal(item->section, "Service")))
                        found = item;
        }
        return found;
}

static const char *find(const struct unit *unit, const char *key)
{
        const struct section_item *item = find_item(&unit->sections, key);

        return item ? item->value : "";
}

/* Everything that a list is made of; an empty value begins it anew. */
static int join(const struct sections *sections, const char *key, struct text *list, size_t *ret_count)
{
        size_t count = 0;
        int r = 0;

        for (size_t i = 0; i < sections->count && r == 0; i++) {
                const struct section_item *item = &sections->items[i];
                if (!text_equal(item->key, key) || text_equal(item->section, "Unit"))
                        continue;
                if (item->value[0] == '\0') {
                        text_truncate(list);
                        count = 0;
                        continue;
                }
                r = text_appendf(list, "%s%s", list->length > 0 ? " " : "", item->value);
                count++;
        }
        if (ret_count)
                *ret_count = count;
        return r;
}

static void join_or_note(const struct unit *unit, const char *key, struct text *list, size_t *ret_count)
{
        if (join(&unit->sections, key, list, ret_count) < 0)
                unit->draft->out_of_memory = true;
}

static void convert_addresses(const struct unit *unit, const char *key, bool datagrams)
{
        _cleanup_(text_clear) struct text list = {0};
        _cleanup_(words_clear) struct words words = {0};

        join_or_note(unit, key, &list, NULL);
        if (words_split(text_string(&list), &words) < 0)
                draft_leave_out(unit->draft, unit->pool, "%s: an unclosed quote", key);
        for (size_t i = 0; i < words.count; i++) {
                _cleanup_(text_clear) struct text address = {0};
                int r = systemd_value_address(words.list[i], datagrams, &address);
                if (r == -ENOMEM)
                        unit->draft->out_of_memory = true;
                else if (r < 0 || !draft_add_word(unit->draft, unit->pool, "listen", text_string(&address)))
                        draft_leave_out(unit->draft, unit->pool, "%s=%s: no address that preforkd listens at", key,
                                        words.list[i]);
        }
}

static void convert_command(const struct unit *unit)
{
        _cleanup_(text_clear) struct text value = {0}, variables = {0}, missing = {0}, error = {0}, unread = {0};
        _cleanup_(words_clear) struct words environment = {0}, command = {0};
        size_t count = 0;

        join_or_note(unit, "ExecStart", &value, &count);
        join_or_note(unit, "Environment", &variables, NULL);
        if (systemd_value_words(text_string(&variables), &environment, &unread) == -ENOMEM)
                unit->draft->out_of_memory = true; /* what cannot be read is noted where it stands */
        if (count != 1) {
                draft_leave_out(unit->draft, unit->pool,
                                count == 0 ? "no service with a command is known" : "ExecStart has several commands");
                return;
        }
        int r = systemd_value_command(text_string(&value), &environment, &command, &missing, &error);
        if (r < 0) {
                unit->draft->out_of_memory = unit->draft->out_of_memory || r == -ENOMEM;
                draft_leave_out(unit->draft, unit->pool, "ExecStart=%s: %s", text_string(&value), text_string(&error));
                return;
        }
        const struct words argv = {.list = command.list + 1, .count = command.count - 1};
        service_named_handler(unit->draft, unit->pool, command.list[0], &argv);
        if (missing.length > 0)
                draft_ask(unit->draft, unit->pool,
                          "ExecStart=%s: not set in the unit, and left out here: %s. See its EnvironmentFile=",
                          text_string(&value), text_string(&missing));
}

/* What Accept= decides. */
static void convert_kind(const struct unit *unit)
{
        if (!unit->accepts) {
                draft_set(unit->draft, unit->pool, "handler_type", "listener");
                draft_set(unit->draft, unit->pool, "accounting", "none");
                draft_set(unit->draft, unit->pool, "scaling", "ondemand");
                draft_set(unit->draft, unit->pool, "max_workers", "1");
                if (text_equal(find(unit, "StandardInput"), "socket"))
                        draft_set(unit->draft, unit->pool, "listen_fd", "0");
                if (text_equal(find(unit, "Type"), "forking"))
                        draft_leave_out(unit->draft, unit->pool,
                                        "Type=forking: it would leave its worker; start it so that "
                                        "it stays in the foreground");
                return;
        }
        if (!text_equal(find(unit, "StandardInput"), "socket"))
                draft_leave_out(unit->draft, unit->pool,
                                "without StandardInput=socket it expects the connection as "
                                "descriptor 3; it gets it as stdin and stdout");
        draft_set(unit->draft, unit->pool, "max_workers", "64"); /* what it is without MaxConnections= */
        draft_set(unit->draft, unit->pool, "when_full", "refuse");
}

static void convert_user(const struct unit *unit)
{
        const char *user = find(unit, "User");

        if (user[0] == '\0' && import_is_yes(find(unit, "DynamicUser"))) {
                draft_ask(unit->draft, unit->pool, "DynamicUser=yes: there is none; name a user of its own");
                user = "nobody";
        }
        service_user(unit->draft, unit->pool, user);
}

/* The words of systemd for networks. 0, -EINVAL (it is none) or -ENOMEM. */
static int add_networks(const char *list, struct text *clients, bool *ret_any)
{
        _cleanup_(words_clear) struct words words = {0};
        static const struct {
                const char *word, *networks;
        } known[] = {
                {"any", EVERYBODY},
                {"localhost", "127.0.0.0/8 ::1"},
                {"link-local", "169.254.0.0/16 fe80::/64"},
                {"multicast", "224.0.0.0/4 ff00::/8"},
        };
        int r = words_split(list, &words);

        for (size_t i = 0; i < words.count && r == 0; i++) {
                const char *networks = words.list[i];
                for (size_t k = 0; k < ELEMENTS(known); k++)
                        networks = text_equal(words.list[i], known[k].word) ? known[k].networks : networks;
                char text[NETWORK_TEXT_MAX];
                struct network network;
                if (networks == words.list[i]) {
                        int parsed = network_parse(networks, &network);
                        if (parsed < 0 && parsed != -EDOM) /* it counts without the bits beyond the prefix */
                                return -EINVAL;
                        network_format(&network, text);
                        networks = text;
                }
                *ret_any = *ret_any || text_equal(networks, EVERYBODY);
                r = text_appendf(clients, "%s%s", clients->length > 0 ? " " : "", networks);
        }
        return r;
}

/* systemd asks IPAddressAllow first, and lets in who is in neither list, and who has come over a UNIX socket. */
static void convert_access(const struct unit *unit)
{
        _cleanup_(text_clear) struct text allowed = {0}, denied = {0}, allow = {0}, deny = {0};
        bool any_allowed = false, any_denied = false;

        join_or_note(unit, "IPAddressAllow", &allowed, NULL);
        join_or_note(unit, "IPAddressDeny", &denied, NULL);
        if (add_networks(text_string(&allowed), &allow, &any_allowed) < 0 ||
            add_networks(text_string(&denied), &deny, &any_denied) < 0)
                draft_close(unit->draft, unit->pool, "IPAddressAllow and IPAddressDeny cannot be read");
        else if (!draft_has_network(unit->draft, unit->pool) && allow.length + deny.length > 0)
                draft_note(
                        unit->draft, unit->pool,
                        "IPAddressAllow=%s and IPAddressDeny=%s: no effect: clients of UNIX sockets have no addresses",
                        text_string(&allowed), text_string(&denied));
        else if (deny.length > 0 && any_denied && allow.length > 0) {
                if (draft_has_unix(unit->draft, unit->pool) && text_append(&allow, " unix") < 0)
                        unit->draft->out_of_memory = true;
                draft_restrict(unit->draft, unit->pool, "allow", text_string(&allow));
        } else if (deny.length > 0 && allow.length == 0)
                draft_restrict(unit->draft, unit->pool, "deny", text_string(&deny));
        else if (deny.length > 0)
                draft_close(
                        unit->draft, unit->pool,
                        "IPAddressAllow=%s and IPAddressDeny=%s: one is an exception to the other; write what you mean "
                        "as allow and deny",
                        text_string(&allowed), text_string(&denied));
        else if (allow.length > 0)
                draft_note(unit->draft, unit->pool, "IPAddressAllow=%s: without IPAddressDeny it shuts out nobody",
                           text_string(&allowed));
}

/* Everything that is said once, by its row; and what belongs to no socket and no service. */
static void convert_rows(const struct unit *unit)
{
        for (size_t i = 0; i < unit->sections.count; i++) {
                const struct section_item *item = &unit->sections.items[i];
                bool ours = text_equal(item->section, "Socket") || text_equal(item->section, "Service");
                _cleanup_(text_clear) struct text list = {0};
                if (ours && find_item(&unit->sections, item->key) != item) /* said again below */
                        continue;
                if (is_list(item->key))
                        join_or_note(unit, item->key, &list, NULL);
                const struct import_directive directive = {.word = item->key,
                                                           .value = is_list(item->key) ? text_string(&list)
                                                                                       : item->value,
                                                           .file = item->file,
                                                           .line = item->line};
                if (!ours)
                        draft_note(unit->draft, unit->pool, "[%s] %s = %s: see preforkd.service", item->section,
                                   item->key, item->value);
                else if (directive.value[0] != '\0')
                        import_row_take(unit->draft, unit->pool,
                                        import_row_find(systemd_rows, systemd_row_count, item->key, false), &directive);
        }
        if (unit->accepts && !find_item(&unit->sections, "StandardError"))
                draft_note(unit->draft, unit->pool,
                           "what it writes to stderr is logged; stderr = socket sends it to the "
                           "client, as systemd did");
}

static bool ends_with(const char *string, const char *end)
{
        size_t length = strlen(string), end_length = strlen(end);

        return length >= end_length && text_equal(string + length - end_length, end);
}

/* One socket, and the sources up to the next. */
static int convert_unit(struct draft *draft, const struct import_source *sources, size_t count)
{
        const char *slash = strrchr(sources[0].name, '/'), *base = slash ? slash + 1 : sources[0].name;
        _cleanup_(text_clear) struct text name = {0};
        struct unit unit = {.draft = draft};
        int r = text_append_bytes(&name, base, strlen(base) - (ends_with(base, ".socket") ? strlen(".socket") : 0));

        for (size_t i = 0; i < count && r == 0; i++)
                r = sections_read(&unit.sections, &sources[i], "#;", true);
        unit.pool = r == 0 ? draft_add_pool(draft, text_string(&name), sources[0].name, 1) : NULL;
        if (unit.pool) {
                unit.accepts = import_is_yes(find(&unit, "Accept"));
                convert_addresses(&unit, "ListenStream", false);
                convert_addresses(&unit, "ListenDatagram", true);
                convert_kind(&unit);
                convert_command(&unit);
                convert_user(&unit);
                convert_access(&unit);
                convert_rows(&unit);
                service_unread(draft, unit.pool, &unit.sections.unread);
        }
        sections_clear(&unit.sections);
        return r;
}

int systemd_convert(struct draft *draft, const struct import_input *input)
{
        int r = 0;

        draft_note(draft, NULL,
                   "Disable the sockets before preforkd listens at their addresses: systemctl disable --now NAME.");
        for (size_t first = 0, next; first < input->count && r == 0; first = next) {
                for (next = first + 1; next < input->count && !ends_with(input->sources[next].name, ".socket");)
                        next++;
                r = convert_unit(draft, &input->sources[first], next - first);
        }
        return r;
}

int systemd_service_name(const char *name, const struct import_source *sources, size_t count, struct text *service)
{
        struct sections sections = {0};
        int r = 0;

        for (size_t i = 0; i < count && r == 0; i++)
                r = sections_read(&sections, &sources[i], "#;", true);
        const struct section_item *named = find_item(&sections, "Service"), *accept = find_item(&sections, "Accept");
        size_t length = strlen(name) - (ends_with(name, ".socket") ? strlen(".socket") : 0);
        if (r == 0 && named)
                r = text_append(service, named->value);
        else if (r == 0)
                r = text_appendf(service, "%.*s%s.service", (int)length, name,
                                 accept && import_is_yes(accept->value) ? "@" : "");
        sections_clear(&sections);
        return r;
}
